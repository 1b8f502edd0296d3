"""From values to the tree that JSON can write.

Plain values look plain. What JSON lacks becomes an object with one key that begins with a dollar sign; a user's own
dict that looks so, or has keys that are no text, is written as `{"$dict": [[key, value], …]}`, so that every value
has one encoding and no two values (of whatever types) share one.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import lru_cache, partial
from inspect import isroutine
from itertools import chain
from math import isfinite
from typing import Any, Final

import msgspec

from .columns import FEW, encode_many, pieces_of
from .layouts import generic_origin
from .missing import is_missing
from .raised import class_of, find_error_type, state_of_error
from .refusal import Refusal, TooDeep
from .registry import TypeRegistry, type_name
from .shapes import shape_of
from .tags import BY_TYPE
from .zones import take_dateutil_zone, take_pydantic_zone

Tree = None | bool | int | float | str | list["Tree"] | dict[str, "Tree"]

MAX_DEPTH: Final = 150
"""How deeply values may be nested. Reading a value must never run into the interpreter's own limit."""

INT_LIMIT: Final = 2**63
"""Integers from here on are written in hexadecimal: in decimal they cost quadratic time and have a limit of digits."""

canonical: Final = msgspec.json.Encoder(order="deterministic").encode
"""One text for equal trees: the keys of objects sorted."""

_UNSAFE = re.compile("[\0\\\\\ud800-\udfff]")
_NEEDS_ESCAPE = re.compile("[\0\ud800-\udfff]")


def escaped(text: str) -> str:
    """Write NUL and lone surrogates, which databases refuse, as `\\u0000`, and the backslash as two."""
    return _UNSAFE.sub(lambda found: "\\\\" if found[0] == "\\" else f"\\u{ord(found[0]):04x}", text)


def text_tree(text: str) -> Tree:
    """The tree of a text, with what databases refuse escaped."""
    return {"$str": escaped(text)} if _NEEDS_ESCAPE.search(text) else text


class Encoder:
    """One value's way to a tree. `budget` is the least number of bytes that may still be written.

    `is_escaping`: look at each text for characters that cannot be stored (the first attempt does not look).
    `is_lenient`: instead of refusing, write `{"$opaque": type}`; only for fingerprints, never to be read back.
    `is_bulk`: many values of one type at a time, where a refusal does not say where.
    """

    def __init__(
        self,
        registry: TypeRegistry,
        *,
        budget: int,
        is_escaping: bool = False,
        is_lenient: bool = False,
        is_bulk: bool = False,
    ) -> None:
        self.registry = registry
        self._budget = budget
        self.is_escaping = is_escaping
        self._is_lenient = is_lenient
        self.is_bulk = is_bulk
        self.met: set[str] = set()
        """The names of the classes whose values were met."""

    def encode(self, value: Any, depth: int = 0) -> Tree:
        """Return the tree, or raise `Refusal` with the path so far."""
        kind = type(value)
        if kind is str:
            return self._text(value)
        if value is None or kind is bool:
            return value  # type: ignore[no-any-return]  # None or a bool, by the line above
        if kind is int:
            return value if -INT_LIMIT <= value < INT_LIMIT else {"$int": hex(value)}
        if kind is float:
            return value if value - value == 0.0 else {"$float": repr(value)}
        self.check_depth(depth)
        if kind is list:
            return self._list(value, depth)
        if kind is dict:
            return self._dict(value, depth)
        return self._tagged(value, kind, depth)

    def check_depth(self, depth: int) -> None:
        """Refuse what is nested too deeply to be read everywhere."""
        if depth >= MAX_DEPTH:
            raise TooDeep(f"is nested more than {MAX_DEPTH} levels deep; flatten it")

    def are_plain(self, values: list[Any], kinds: set[type]) -> bool:
        """Whether scalars of these types are all written as they are."""
        if str in kinds:
            texts = values if len(kinds) == 1 else [value for value in values if type(value) is str]
            if self.is_escaping and any(map(_NEEDS_ESCAPE.search, texts)):
                return False
            self._budget -= sum(map(len, texts))
        if int in kinds:
            numbers = values if len(kinds) == 1 else [value for value in values if type(value) is int]
            if min(numbers) < -INT_LIMIT or max(numbers) >= INT_LIMIT:
                return False
        if float not in kinds:
            return True
        return all(map(isfinite, values if len(kinds) == 1 else [v for v in values if type(v) is float]))

    def _text(self, text: str) -> Tree:
        self._budget -= len(text)
        return text_tree(text) if self.is_escaping else text

    def _list(self, members: list[Any], depth: int) -> Tree:
        self.spend(len(members))
        if self.is_bulk and len(members) >= FEW:
            return list(chain.from_iterable(encode_many(self, piece, depth + 1) for piece in pieces_of(members)))
        made: list[Tree] = []
        try:
            for member in members:
                made.append(self.encode(member, depth + 1))
        except Refusal as refusal:
            raise refusal.within(members, len(made)) from None
        return made

    def _dict(self, members: dict[Any, Any], depth: int) -> Tree:
        self.spend(len(members))
        if self.is_bulk and len(members) >= FEW and not self.is_escaping and set(map(type, members)) == {str}:
            return dict(zip(members, encode_many(self, list(members.values()), depth + 1), strict=True))
        made: dict[str, Tree] = {}
        for key, member in members.items():
            if type(key) is not str or (self.is_escaping and _NEEDS_ESCAPE.search(key)):
                return self._pairs("$dict", members, depth)
            try:
                made[key] = self.encode(member, depth + 1)
            except Refusal as refusal:
                raise refusal.within(members, key) from None
        if len(made) == 1 and next(iter(made)).startswith("$"):
            return self._pairs("$dict", members, depth)
        return made

    def _pairs(self, tag: str, members: dict[Any, Any], depth: int) -> Tree:
        pairs: list[Tree] = []
        for key, member in members.items():
            try:
                pairs.append([self.encode(key, depth + 1), self.encode(member, depth + 1)])
            except Refusal as refusal:
                raise refusal.within(members, key) from None
        return {tag: pairs}

    def _tagged(self, value: Any, kind: type, depth: int) -> Tree:
        if (code := self.registry.code_of(kind)) is not None:
            self.met.add(code.name)
            return {"$registered": [code.name, self._within(value, code.encode(value), depth)]}
        tag = BY_TYPE.get(kind)
        if tag is not None:
            if kind is set or kind is frozenset:
                return {tag.name: self._members(value, depth)}
            if kind is OrderedDict or kind is Counter:
                self.spend(len(value))
                return self._pairs(tag.name, value, depth)
            return {tag.name: self._within(value, tag.take(value), depth)}
        if isinstance(value, BaseException):
            return self._error(value, depth)
        if isinstance(value, dt.tzinfo) and (zone := _zone(value)) is not None:
            return zone
        if is_missing(value):
            return {"$missing": None}
        return self._instance(value, kind, depth)

    def _error(self, error: BaseException, depth: int) -> Tree:
        name = type_name(type(error))
        if find_error_type(name, self.registry) is not class_of(error):
            return self._refused(type(error), unknown_type(type(error), self.registry.hint(type(error))))
        return {"$error": self._within(error, state_of_error(error), depth)}

    def _within(self, value: object, simple: object, depth: int) -> Tree:
        """Encode what was taken from `value`, so that a cycle through it is seen as one."""
        try:
            return self.encode(simple, depth + 1)
        except Refusal as refusal:
            if refusal.steps:
                _, key = refusal.steps.pop()  # the step into the simple value stands for the one into `value`
                refusal.within(value, key)
            raise

    def _members(self, members: set[Any] | frozenset[Any], depth: int) -> list[Tree]:
        """The members of a set, sorted by what is written for them: the same order in every process."""
        self.spend(len(members))
        try:
            made = [self.encode(member, depth + 1) for member in members]
        except Refusal as refusal:
            raise refusal.within(members, ()) from None
        return [tree for _, tree in sorted(((sort_key(tree), tree) for tree in made), key=_first)]

    def _instance(self, value: object, kind: type, depth: int) -> Tree:
        shape = shape_of(kind)
        if shape is None:
            return self._refused(kind, _unsupported(value, kind))
        name = self.registry.name_of(kind) or self.registry.name_of(generic_origin(kind))
        try:
            if name is None:
                reason = unknown_type(kind, self.registry.hint(kind)) + _conversion(value)
                return self._refused(kind, reason, is_for_good=False)
            self.met.add(name)
            state, extras = shape.take(value)
            body: list[Tree] = [name, self._within(value, state, depth)]
            if extras:
                body.append(self._within(value, extras, depth))
        except Refusal as refusal:
            refusal.lies_in(value)
            raise
        return {shape.tag: body}

    def _refused(self, kind: type, reason: str, *, is_for_good: bool = True) -> Tree:
        if self._is_lenient:
            return {"$opaque": f"{kind.__module__}:{kind.__qualname__}"}
        raise Refusal(reason, is_for_good=is_for_good)

    def spend(self, members: int) -> None:
        """Give up long before memory does: shared parts inside shared parts grow without end."""
        self._budget -= members + 2
        if self._budget < 0:
            raise Refusal("is larger than the limit; store a reference to it instead, such as a path or a key")


def _zone(value: dt.tzinfo) -> Tree | None:
    """A time zone of a library's own; None for others."""
    if (seconds := take_pydantic_zone(value)) is not None:
        return {"$pydantic_zone": seconds}
    state: Any = take_dateutil_zone(value)
    return None if state is None else {"$dateutil_zone": state}


def sort_key(tree: Tree) -> bytes:
    """The order of a set's members; a text that UTF-8 refuses is met only before the second, escaping attempt."""
    return canonical(tree)


def _first(pair: tuple[bytes, Tree]) -> bytes:
    return pair[0]


def unknown_type(kind: type, hint: str = "") -> str:
    """Why a class that could be stored is not: a fresh process would not know it."""
    return unknown_type_name(f"{kind.__module__}:{kind.__qualname__}", hint)


def unknown_type_name(name: str, hint: str = "") -> str:
    """What to do about a type that this process does not know."""
    name = name[:200]
    outer, bracket, arguments = name.partition("[")
    return (
        f"is of type {name}, which is not known to this process{hint}: name it in the annotations of a registered "
        f"workflow or step, or call perdure.register({outer.rpartition(':')[2].rpartition('.')[2]}{bracket}{arguments})"
    )


_CACHED: Final = type(lru_cache(len))

_MENDS: tuple[tuple[Callable[[object], bool], str], ...] = (
    (lambda value: isinstance(value, type), "a class; pass its name"),
    (lambda value: isroutine(value) or isinstance(value, (partial, _CACHED)), "a function; "
     "pass its name, or call it inside the step"),
    (lambda value: hasattr(value, "fileno"), "open in this process only; pass its path or address and "
     "open it inside the step"),
    (lambda value: isinstance(value, Awaitable), "still to be awaited; await it and pass what it gives"),
    (lambda value: isinstance(value, (Iterator, AsyncIterator)), "an iterator; make a list of it"),
    (lambda value: hasattr(value, "get_secret_value"), "a secret, which must not lie in a database; pass its name and "
     "read it inside the step"),
    (lambda value: hasattr(value, "status_code") and hasattr(value, "headers"), "a response; return what you need of "
     "it, such as its json()"),
    (lambda value: hasattr(value, "_mapping"), "a row of a database; return dict(row._mapping) or tuple(row)"),
    (lambda value: hasattr(value, "_sa_instance_state"), "an object of a database session; return its key or its "
     "columns"),
)  # fmt: skip


def _conversion(value: object) -> str:
    """What to do with a value of a builtin type's subclass, if the subclass does not matter."""
    base = next((base for base in (dict, list, str, int, float) if isinstance(value, base)), None)
    return "" if base is None else f"; or convert it with {base.__name__}(…)"


def _plainly(value: object) -> str:
    """What makes plain values of an array or of one of its numbers and times: numpy's, pandas', torch's."""
    for name in ("tolist", "to_pydatetime", "to_pytimedelta"):
        if callable(getattr(value, name, None)):
            return f"; or convert it with .{name}()"
    return _conversion(value)


def _unsupported(value: object, kind: type) -> str:
    """Why a value can never be stored, and what to do. Says the type, never the value: it may be a secret."""
    name = f"{kind.__module__}:{kind.__qualname__}"
    for applies, advice in _MENDS:
        if applies(value):
            return f"is of type {name}, which cannot be stored: it is {advice}"
    return (
        f"is of type {name}, which cannot be stored; pass what it is made from (a path, a key, a dataclass) and make "
        f"it inside the step, or give perdure.register({kind.__name__}, encode=…, decode=…)" + _plainly(value)
    )
