"""The types that stored values may have: those which a fresh process could resolve as well.

A type becomes known by standing in the annotations of a registered workflow or step, or by being registered.
Names in stored data are only ever looked up here; nothing is imported because data says so.
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import UsageError
from ..names import module_name
from .annotations import Found, types_of, types_of_function


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


class TypeRegistry:
    """The known types, by name and back. May be read and written by several threads.

    Annotations are looked at when the first unknown name or type is asked for, and again for as long as some of them
    cannot be resolved: decorating a function must not evaluate its annotations before the module is complete.
    Two classes of one name are one class re-imported: the later one counts.
    """

    def __init__(self) -> None:
        self._types: dict[str, type] = {}
        self._names: dict[type, str] = {}
        self._waiting: dict[int, tuple[object, Callable[[], Found]]] = {}
        self._has_news = False
        """Whether a function was learned since we looked last: it may name a later class of a known name."""

    def register(self, tp: object) -> None:
        """Make a type known, with all types that its fields and type arguments name.

        Raises `UsageError` if `tp` is neither a class nor made of classes.
        """
        found = types_of(tp)
        if not found.types and not (isinstance(tp, type) and tp.__module__ == "builtins"):
            raise UsageError(f"register() takes a class, not a value of type {type(tp).__name__}")
        self._adopt(found)
        if not found.is_complete:
            self._waiting[id(tp)] = (tp, lambda: types_of(tp))

    def learn(self, fn: Callable[..., object]) -> None:
        """Make all types known that the annotations of a workflow or step name; resolved when first needed."""
        self._waiting[id(fn)] = (fn, lambda: types_of_function(fn))
        self._has_news = True

    def resolve(self, name: str) -> type | None:
        """Return the type of this name, or None if this process does not know it."""
        tp = self._types.get(name)
        if self._has_news or (tp is None and self._waiting):
            self._look_again()
            tp = self._types.get(name)
        return tp

    def name_of(self, tp: type) -> str | None:
        """Return the name of a known type, or None if the type is not known."""
        name = self._names.get(tp)
        if name is None and self._waiting:
            self._look_again()
            name = self._names.get(tp)
        return name

    def _look_again(self) -> None:
        """Read the annotations that wait; an entry leaves only when all it names is known (threads may overlap)."""
        self._has_news = False
        for key, (_, look) in list(self._waiting.items()):
            found = look()
            self._adopt(found)
            if found.is_complete:
                self._waiting.pop(key, None)

    def _adopt(self, found: Found) -> None:
        for tp in found.types:
            name = type_name(tp)
            self._types[name] = tp
            self._names[tp] = name
