"""The types that stored values may have: those which a fresh process could resolve as well.

A type becomes known by standing in the annotations of a registered workflow or step, by being registered, or by being
a subclass of a known one that its module holds. Names in stored data are only ever looked up here; nothing is imported
because data says so.
"""

from __future__ import annotations

import functools
import operator
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import UsageError
from ..names import module_name
from .annotations import Found, types_of, types_of_function
from .declared import digest_of
from .loaded import find_loaded
from .revisions import FIRST, NO_UPCASTERS, Mark, Revision, Upcaster, check_revision

_LONGEST_NAME = 500
"""Of a generic model with arguments: it is made where all its parts are known, but not nested without end."""


def type_name(tp: type) -> str:
    """Return `module:qualname`; of a pydantic generic with arguments, `module:Page[module:Item]`."""
    metadata = getattr(tp, "__pydantic_generic_metadata__", None)
    if isinstance(metadata, dict) and metadata.get("origin") is not None:
        arguments = ",".join(_argument_name(argument) for argument in metadata.get("args", ()))
        return f"{type_name(metadata['origin'])}[{arguments}]"
    return f"{module_name(tp.__module__)}:{tp.__qualname__}"


def _argument_name(argument: object) -> str:
    """Return the name of a type argument; what is no class is named by what Python prints for it."""
    if not isinstance(argument, type) or hasattr(argument, "__origin__"):
        return repr(argument)
    return argument.__name__ if argument.__module__ == "builtins" else type_name(argument)


@dataclass(slots=True, frozen=True)
class Code:
    """How values of one registered type are written as simpler ones, and made of them; by the user's own functions."""

    name: str
    encode: Callable[[Any], object]
    decode: Callable[[Any], object]


class Heads:
    """What `headed` has found out with the classes that are known now: made anew when there are others."""

    def __init__(self) -> None:
        self.by_names: dict[frozenset[str], str] = {}
        self.by_text: dict[str, Any] = {}


class TypeRegistry:
    """The known types, by name and back. May be read and written by several threads.

    Annotations are looked at when the first unknown name or type is asked for, and again for as long as some of them
    cannot be resolved: decorating a function must not evaluate its annotations before the module is complete.
    Two classes of one name are one class re-imported: the later one counts.
    """

    def __init__(self) -> None:
        self._types: dict[str, type] = {}
        self._names: dict[type, str] = {}
        self._codes: dict[type, Code] = {}
        self.code_of: Callable[[type], Code | None] = self._codes.get
        """How values of exactly this type are written, where that was registered."""
        self._revisions: dict[type, Revision] = {}
        self._marks: dict[type, Mark] = {}
        self.heads = Heads()
        self._waiting: dict[int, tuple[object, Callable[[bool], Found]]] = {}
        self._unresolved: dict[str, None] = {}
        self._has_news = False
        """Whether a function was learned since we looked last: it may name a later class of a known name."""

    def register(
        self,
        tp: Any,
        *,
        encode: Callable[[Any], object] | None = None,
        decode: Callable[[Any], Any] | None = None,
        aliases: Iterable[str] = (),
        version: int = 1,
        upcasters: Mapping[int, Upcaster] = NO_UPCASTERS,
    ) -> None:
        """Make a type known, with all types that its fields and type arguments name; see `perdure.register`."""
        found = types_of(tp)
        if not found.types and not (isinstance(tp, type) and tp.__module__ == "builtins"):
            raise UsageError(f"register() takes a class, not a value of type {type(tp).__name__}")
        names = [aliases] if isinstance(aliases, str) else list(aliases)
        is_revised = type(version) is not int or version != 1 or bool(upcasters)
        if encode is not None or decode is not None or names or is_revised:
            self._check(tp, encode, decode, names)
        revision = check_revision(tp, version, upcasters) if is_revised else FIRST
        self._adopt(found)
        if not found.is_complete:
            self._waiting[id(tp)] = (tp, lambda may_import: types_of(tp, may_import=may_import))
        for alias in names:
            self._types[alias] = tp
        if names:  # what the first version wrote is what all versions write: they read each other's values
            self._names[tp] = names[0]
        if encode is not None and decode is not None:
            self._codes[tp] = Code(self._names[tp], encode, decode)
        if is_revised:
            self._revisions[tp] = revision
        self._marks.pop(tp, None)
        self.heads = Heads()

    def revision_of(self, tp: type) -> Revision:
        """Which version of the class this process has, and how values of earlier ones become its own."""
        return self._revisions.get(tp, FIRST)

    def mark_of(self, tp: type) -> Mark:
        """What is kept beside values of this type, to see later whether it has changed."""
        mark = self._marks.get(tp)
        if mark is None:
            digest = None if tp in self._codes else digest_of(tp)
            mark = self._marks[tp] = Mark(self.revision_of(tp).version, digest or "")
        return mark

    def revised(self) -> dict[str, Mark]:
        """The marks of the types that have a version beyond the first, by name."""
        names = {self._names[tp]: tp for tp in list(self._revisions)}
        return {name: self.mark_of(tp) for name, tp in names.items() if self._types.get(name) is tp}

    def _check(self, tp: Any, encode: object, decode: object, aliases: list[str]) -> None:
        if not isinstance(tp, type) or tp.__module__ == "builtins":
            raise UsageError(
                f"register({tp!r}): encode=, decode=, aliases= and version= are for a class of yours or a library's"
            )
        if typing.is_typeddict(tp):
            raise UsageError(
                f"register({tp.__qualname__}): values of a TypedDict are plain dicts, beside which nothing is"
                " kept: put it into a field of a dataclass or model, which can have a version and upcasters"
            )
        if (encode is None) != (decode is None) or not all(part is None or callable(part) for part in (encode, decode)):
            raise UsageError(f"register({tp.__qualname__}): give two functions, encode= and decode=, or none")
        for alias in aliases:
            known = self._types.get(alias) if isinstance(alias, str) else None
            if not isinstance(alias, str) or ":" not in alias:
                raise UsageError(f"register({tp.__qualname__}): the alias {alias!r} is no name like 'module:Class'")
            if known is not None and known is not tp and type_name(known) != type_name(tp):
                raise UsageError(f"register({tp.__qualname__}): the alias {alias!r} is the name of another class")

    def learn(self, fn: Callable[..., object]) -> None:
        """Make all types known that the annotations of a workflow or step name; resolved when first needed."""
        self._waiting[id(fn)] = (fn, lambda may_import: types_of_function(fn, may_import=may_import))
        self._has_news = True

    def resolve(self, name: str) -> type | None:
        """Return the type of this name, or None if this process does not know it."""
        if self._has_news:
            self._look_again()
        if (known := self._types.get(name)) is not None:
            return known
        for look in (self._resolve_subclass, self._resolve_waiting, self._resolve_generic):
            if (tp := look(name)) is not None:
                return tp
        return None

    def _resolve_waiting(self, name: str) -> type | None:
        """Look at the annotations that could not be resolved; then also at what they import for type checkers only."""
        for may_import in (False, True):
            if self._waiting:
                self._look_again(may_import=may_import)
                if (tp := self._types.get(name) or self._resolve_subclass(name)) is not None:
                    return tp
        return None

    def _resolve_subclass(self, name: str) -> type | None:
        """A class that is loaded already and extends a known one."""
        found = find_loaded(name)
        if isinstance(found, type) and self._extends_known(found) and type_name(found) == name:
            self._adopt(types_of(found))
            return found
        return None

    def _resolve_generic(self, name: str) -> type | None:
        """A known generic model of pydantic with known arguments."""
        origin_name, bracket, inside = name.partition("[")
        if not bracket or not inside.endswith("]") or len(name) > _LONGEST_NAME:
            return None
        origin: Any = self.resolve(origin_name)
        if origin is None or not isinstance(getattr(origin, "__pydantic_generic_metadata__", None), dict):
            return None
        try:
            made: Any = origin[self._arguments(inside[:-1])]
        except Exception:  # it takes other arguments
            return None
        if not isinstance(made, type) or type_name(made) != name:
            return None
        self._adopt(types_of(made))
        return made

    def _arguments(self, text: str) -> tuple[Any, ...]:
        """Type arguments of known parts, from what `type_name` or Python has written for them."""
        return tuple(self._argument(part.strip()) for part in _cut(text, ","))

    def _argument(self, text: str) -> Any:
        """One of them. Raises `LookupError` where a part is not known."""
        if len(parts := _cut(text, "|")) > 1:
            return functools.reduce(operator.or_, [self._argument(part.strip()) for part in parts])
        if (known := _BUILTINS.get(text)) is not None:
            return known
        head, bracket, inside = text.partition("[")
        if bracket and text.endswith("]") and (kind := _CONTAINERS.get(head)) is not None:
            arguments = self._arguments(inside[:-1])
            return kind[arguments[0] if len(arguments) == 1 else arguments]
        for name in (text, *(known for known in list(self._types) if known.replace(":", ".") == text)):
            if (tp := self.resolve(name)) is not None:
                return tp
        raise LookupError(text)

    def name_of(self, tp: type) -> str | None:
        """Return the name of a known type, or None if the type is not known."""
        name = self._names.get(tp)
        if name is None and self.resolve(type_name(tp)) is tp:
            name = self._names.get(tp)
        return name

    def hint(self, tp: type) -> str:
        """Why a type that is not known is not, as far as that can be told."""
        if tp.__name__ in self._unresolved:
            return " (an annotation names it, but it cannot be resolved there: import it at run time)"
        if self._extends_known(tp):
            return " (it extends a known type, but its module does not hold it under this name)"
        return ""

    def _extends_known(self, tp: type) -> bool:
        return any(parent in self._names for parent in tp.__mro__[1:])

    def _look_again(self, *, may_import: bool = False) -> None:
        """Read the annotations that wait; an entry leaves only when all it names is known (threads may overlap)."""
        self._has_news = False
        for key, (_, look) in list(self._waiting.items()):
            found = look(may_import)
            self._adopt(found)
            if found.is_complete:
                self._waiting.pop(key, None)
            self._unresolved.update(found.unresolved)

    def _adopt(self, found: Found) -> None:
        is_news = False
        for tp in found.types:
            name = type_name(tp)
            is_news |= self._types.get(name) is not tp
            self._types[name] = tp
            self._names.setdefault(tp, name)
        if is_news:
            self.heads = Heads()


_BUILTINS: dict[str, Any] = {
    kind.__name__: kind for kind in (str, int, float, bool, bytes, list, dict, tuple, set, frozenset, complex)
} | {"NoneType": type(None), "None": type(None), "...": ..., "typing:Any": Any, "typing.Any": Any}
"""Type arguments that everybody knows."""
_CONTAINERS: dict[str, Any] = {kind.__name__: kind for kind in (list, dict, tuple, set, frozenset)} | {
    "typing.Union": typing.Union,
    "typing.Optional": typing.Optional,
}
"""What Python writes type arguments of other ones with."""


def _cut(arguments: str, separator: str) -> list[str]:
    """Cut `a,b[c,d]` at the separators outside brackets."""
    parts, depth = [""], 0
    for character in arguments:
        depth += (character == "[") - (character == "]")
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
