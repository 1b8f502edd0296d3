"""From the tree that was read back to the value: data, never code.

A tag is looked up in fixed tables, a type name in the registry. Nothing else in the tree names anything. Whatever
does not fit raises `Refusal`; no other way out is left to a hostile row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from itertools import chain
from typing import Any, Final

from .columns import FEW, decode_many, pieces_of
from .encoding import unknown_type_name
from .missing import make_missing
from .raised import error_from_state
from .refusal import Refusal
from .registry import Code, TypeRegistry
from .shapes import BY_TAG, Shape, add_extras, shape_of
from .tags import BY_TYPE, DICT, Tag, expect
from .zones import make_dateutil_zone, make_pydantic_zone

_ESCAPE = re.compile(r"\\(\\|u[0-9a-f]{4})")
_FLOATS: Final = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


def _make_text(simple: object) -> str:
    return _ESCAPE.sub(lambda found: "\\" if found[1] == "\\" else chr(int(found[1][1:], 16)), expect(simple, str))


def _make_int(simple: object) -> int:
    text: str = expect(simple, str)
    if not re.fullmatch(r"-?0x[0-9a-f]+", text):
        raise Refusal("is no integer")
    return int(text, 16)


_MAKE: dict[str, Callable[[Any], object]] = {
    "$str": _make_text,
    "$int": _make_int,
    "$float": lambda simple: _FLOATS[expect(simple, str)],
    "$pydantic_zone": lambda simple: make_pydantic_zone(expect(simple, int)),
    "$dateutil_zone": lambda simple: make_dateutil_zone(expect(simple, list)),
    "$missing": lambda simple: make_missing(),
    DICT.name: DICT.make,
} | {tag.name: tag.make for tag in BY_TYPE.values() if isinstance(tag, Tag)}


class Decoder:
    """Makes values from trees, with the types of one registry."""

    def __init__(self, registry: TypeRegistry, *, is_bulk: bool = False) -> None:
        self.registry = registry
        self._is_bulk = is_bulk
        self.changed: Collection[str] = ()
        """The names of classes whose values are not to be made many at a time."""

    def decode(self, tree: Any) -> Any:
        """Return the value, or raise `Refusal` with the path inside the tree so far."""
        kind = type(tree)
        if kind is list:
            return self._list(tree)
        if kind is not dict:
            return tree
        if len(tree) == 1:
            ((key, body),) = tree.items()
            if key.startswith("$"):
                return self._tagged(key, body)
        if self._is_bulk and len(tree) >= FEW:
            return dict(zip(tree, decode_many(self, list(tree.values())), strict=True))
        made = {}
        for key, member in tree.items():
            try:
                made[key] = self.decode(member)
            except Refusal as refusal:
                raise refusal.within(tree, key) from refusal.__cause__
        return made

    def _list(self, tree: list[Any]) -> list[Any]:
        if self._is_bulk and len(tree) >= FEW:
            return list(chain.from_iterable(decode_many(self, piece) for piece in pieces_of(tree)))
        made: list[Any] = []
        try:
            for member in tree:
                made.append(self.decode(member))
        except Refusal as refusal:
            raise refusal.within(tree, len(made)) from refusal.__cause__
        return made

    def _tagged(self, tag: str, body: Any) -> object:
        if tag in BY_TAG:
            return self._instance(tag, body)
        if tag == "$error":
            return self._made(tag, lambda state: error_from_state(expect(state, dict), self.registry), body)
        if tag == "$registered":
            return self._registered(body)
        make = _MAKE.get(tag)
        if make is None:
            raise Refusal(f"has the tag {tag[:80]!r}, which this version does not know")
        return self._made(tag, make, body)

    @staticmethod
    def maker_of(tag: str) -> Callable[[Any], object] | None:
        """What makes a value of this tag from the simpler one that it holds."""
        return _MAKE.get(tag)

    def _registered(self, body: Any) -> object:
        if type(body) is not list or len(body) != 2 or type(body[0]) is not str:
            raise Refusal("is a damaged $registered")
        cls = self.registry.resolve(body[0])
        code = None if cls is None else self.registry.code_of(cls)
        if cls is None or code is None:
            raise Refusal(f"needs perdure.register(…, encode=…, decode=…) for {body[0][:200]}, as when it was stored")
        return self._made("$registered", lambda simple: self._decode_registered(code, cls, simple), body[1])

    def _decode_registered(self, code: Code, cls: type, simple: Any) -> object:
        return code.decode(simple)

    def _instance(self, tag: str, body: Any) -> object:
        if type(body) is not list or len(body) not in (2, 3) or type(body[0]) is not str:
            raise Refusal(f"is a damaged {tag}")
        name, state, *extras = body
        cls = self.registry.resolve(name)
        if cls is None:
            return self._unknown(tag, name, state)
        made = self._made(tag, lambda simple: self._make(BY_TAG[tag], cls, name, simple), state)
        return self._made(tag, lambda simple: add_extras(made, simple), extras[0]) if extras else made

    def _unknown(self, tag: str, name: str, state: Any) -> object:
        """The class of an instance is not known to this process."""
        moved = "; where it was moved or renamed, call perdure.register(ItsNewName, aliases=[its old name])"
        raise Refusal(unknown_type_name(name) + moved)

    def _make(self, shape: Shape, cls: type, name: str, state: Any) -> object:
        """An instance of its decoded state."""
        if shape_of(cls) is not shape:  # a model, say, must not be read as what pydantic validates
            raise Refusal(f"says {shape.tag}, which the type {name[:200]} is not (any more)")
        return shape.make(cls, state)

    def _made(self, tag: str, make: Callable[[Any], object], body: Any) -> object:
        """Decode the body, then make the value; a maker may raise anything that a wrong body can lead it to."""
        simple = self.decode(body)
        try:
            return make(simple)
        except Refusal:
            raise
        except Exception as error:
            raise Refusal(f"is a damaged {tag}: {type(error).__name__}") from error
