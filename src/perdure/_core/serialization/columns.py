"""Many values of one type at a time: a list of rows is written, read and compared field by field.

What one value at a time costs in Python is paid here once per field and list, the rest by functions of the
interpreter's own: a list of dataclasses goes through in less time than pickle takes. Whatever is not plain enough goes
one by one. Nothing is refused here with its path: whoever catches a `Refusal` does it again one by one, to say where.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from enum import Enum
from itertools import chain, islice, repeat
from operator import is_, is_not, itemgetter
from typing import Any, Final, Protocol

from .layouts import Layout, layout_of
from .refusal import Refusal
from .registry import TypeRegistry
from .shapes import BY_TAG, shape_of
from .tags import BY_TYPE, CONTAINERS, EQUAL_IS_SAME, UNORDERED

FEW: Final = 4
"""Fewer values than this are done sooner one by one."""
PIECE: Final = 2_000
"""A longer list is taken in pieces: none of the calls that hold the interpreter's lock may take long."""
PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_NONE: Final = type(None)
_STARTS_A_TAG: Final = "$"


class Encodes(Protocol):
    """The encoder of one value, as columns need it."""

    registry: TypeRegistry
    is_escaping: bool
    met: set[str]

    def encode(self, value: Any, depth: int = 0) -> Any:
        """The tree of one value."""

    def are_plain(self, values: list[Any], kinds: set[type]) -> bool:
        """Whether all of them are written as they are."""

    def check_depth(self, depth: int) -> None:
        """Refuse what lies too deep."""

    def spend(self, members: int) -> None:
        """So many members are written."""


class Decodes(Protocol):
    """The decoder of one value, as columns need it."""

    registry: TypeRegistry
    changed: Collection[str]

    def decode(self, tree: Any) -> Any:
        """The value of one tree."""

    def maker_of(self, tag: str) -> Callable[[Any], object] | None:
        """What makes the values of a tag."""


class Compares(Protocol):
    """The comparison of two values, as columns need it."""

    registry: TypeRegistry

    def one(self, left: Any, right: Any) -> bool:
        """Whether two values are the same."""


def pieces_of(members: list[Any]) -> Iterator[list[Any]]:
    """Cut a long list."""
    return (members[start : start + PIECE] for start in range(0, len(members), PIECE))


def _without_none(values: list[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _with_none(values: list[Any], others: list[Any]) -> list[Any]:
    """Put the others in the places of what is not None."""
    following = iter(others)
    return [None if value is None else next(following) for value in values]


def _parted(sizes_of: Sequence[Any], flat: list[Any]) -> list[list[Any]]:
    """Cut a list into pieces as long as these."""
    following = iter(flat)
    return [list(islice(following, len(each))) for each in sizes_of]


def _refilled(dicts: list[dict[str, Any]], flat: list[Any]) -> list[dict[str, Any]]:
    """The same keys, with these values."""
    following = iter(flat)
    return [dict(zip(each, islice(following, len(each)), strict=True)) for each in dicts]


def _columns_of(layout: Layout, rows: list[dict[str, Any]]) -> list[list[Any]] | None:
    """The values of each field; None if something else stands in a field's place in one of the rows."""
    try:
        return [list(map(itemgetter(name), rows)) for name in layout.names]
    except KeyError:
        return None


def _put(rows: list[dict[str, Any]], names: tuple[str, ...], columns: list[list[Any]], was: list[list[Any]]) -> None:
    """Put the columns that are others than they were into the rows."""
    for name, column, before in zip(names, columns, was, strict=True):
        if column is not before:
            deque(map(dict.__setitem__, rows, repeat(name), column), maxlen=0)


def _looks_tagged(dicts: list[dict[Any, Any]]) -> bool:
    """Whether one of them has a single key that reads as a tag."""
    if 1 not in set(map(len, dicts)):
        return False
    return any(len(each) == 1 and next(iter(each)).startswith(_STARTS_A_TAG) for each in dicts)


# -- writing -----------------------------------------------------------------------------------------------------------
def encode_many(encoder: Encodes, values: list[Any], depth: int) -> list[Any]:
    """The trees of values that lie at this depth; the list itself where they are written as they are."""
    kinds = set(map(type, values))
    if kinds <= PLAIN:
        return values if encoder.are_plain(values, kinds) else _encode_each(encoder, values, depth)
    if len(kinds) == 2 and _NONE in kinds:
        return _with_none(values, encode_many(encoder, _without_none(values), depth))
    if len(kinds) > 1 or len(values) < FEW:
        return _encode_each(encoder, values, depth)
    (kind,) = kinds
    if (kind not in BY_TYPE or kind in CONTAINERS) and len(set(map(id, values))) < len(values):
        return _encode_each(encoder, values, depth)  # a part that is met twice may be met without end
    if kind is list:
        return _encode_lists(encoder, values, depth)
    if kind is dict:
        return _encode_dicts(encoder, values, depth)
    return _encode_instances(encoder, kind, values, depth) or _encode_each(encoder, values, depth)


def _encode_each(encoder: Encodes, values: list[Any], depth: int) -> list[Any]:
    return [encoder.encode(value, depth) for value in values]


def _encode_lists(encoder: Encodes, lists: list[list[Any]], depth: int) -> list[Any]:
    encoder.check_depth(depth)
    flat = list(chain.from_iterable(lists))
    encoder.spend(len(flat) + 2 * len(lists))
    trees = encode_many(encoder, flat, depth + 1)
    return lists if trees is flat else _parted(lists, trees)


def _encode_dicts(encoder: Encodes, dicts: list[dict[Any, Any]], depth: int) -> list[Any]:
    keys = set(map(type, chain.from_iterable(dicts)))
    if keys - {str} or encoder.is_escaping or _looks_tagged(dicts):
        return _encode_each(encoder, dicts, depth)
    encoder.check_depth(depth)
    flat = list(chain.from_iterable(map(dict.values, dicts)))
    encoder.spend(len(flat) + 2 * len(dicts))
    trees = encode_many(encoder, flat, depth + 1)
    return dicts if trees is flat else _refilled(dicts, trees)


def _encode_instances(encoder: Encodes, kind: type, values: list[Any], depth: int) -> list[Any] | None:
    """Values of a tag, or of a class that is made of fields; None for others."""
    if encoder.registry.code_of(kind) is not None:
        return None
    is_enum: bool = issubclass(kind, Enum)
    if is_enum:
        members = {id(value): value for value in values}
        made = {place: encoder.encode(value, depth) for place, value in members.items()}
        return list(map(made.__getitem__, map(id, values)))
    if (tag := BY_TYPE.get(kind)) is not None:
        if kind in UNORDERED:
            return None
        encoder.check_depth(depth)
        return [{tag.name: tree} for tree in encode_many(encoder, list(map(tag.take, values)), depth + 1)]
    layout, shape, name = layout_of(kind), shape_of(kind), encoder.registry.name_of(kind)
    if layout is None or shape is None or name is None or (rows := layout.read_many(values)) is None:
        return None
    encoder.met.add(name)
    encoder.check_depth(depth + layout.levels - 1)
    encoder.spend(len(values) * (len(layout.names) + 4))
    if (columns := _columns_of(layout, rows)) is None:
        return None
    trees = [encode_many(encoder, column, depth + layout.levels) for column in columns]
    if any(map(is_not, trees, columns)):
        rows = list(map(dict, rows))  # they may be the instances' own
        _put(rows, layout.names, trees, columns)
    tag_name = shape.tag
    return [{tag_name: [name, state]} for state in layout.states_of(values, rows)]


# -- reading -----------------------------------------------------------------------------------------------------------
def decode_many(decoder: Decodes, trees: list[Any]) -> list[Any]:
    """The values of trees; the list itself where they are values already."""
    kinds = set(map(type, trees))
    if dict not in kinds and list not in kinds:
        return trees
    if len(kinds) == 2 and _NONE in kinds:
        return _with_none(trees, decode_many(decoder, _without_none(trees)))
    if len(kinds) > 1 or len(trees) < FEW:
        return [decoder.decode(tree) for tree in trees]
    if list in kinds:
        flat = list(chain.from_iterable(trees))
        made = decode_many(decoder, flat)
        return trees if made is flat else _parted(trees, made)
    if set(map(len, trees)) == {1}:
        tags = set(chain.from_iterable(trees))
        if len(tags) == 1 and next(iter(tags)).startswith(_STARTS_A_TAG):
            return _decode_tagged(decoder, tags.pop(), trees)
    if _looks_tagged(trees):
        return [decoder.decode(tree) for tree in trees]
    flat = list(chain.from_iterable(map(dict.values, trees)))
    made = decode_many(decoder, flat)
    return trees if made is flat else _refilled(trees, made)


def _decode_tagged(decoder: Decodes, tag: str, trees: list[dict[str, Any]]) -> list[Any]:
    made: list[Any] | None = None
    bodies = list(map(itemgetter(tag), trees))
    make = decoder.maker_of(tag)
    try:
        if tag == "$enum":
            made = _decode_members(decoder, tag, bodies)
        elif tag in BY_TAG:
            made = _decode_instances(decoder, tag, bodies)
        elif make is not None:
            made = list(map(make, decode_many(decoder, bodies)))
    except Refusal:
        raise
    except Exception as error:  # a maker may raise anything that a wrong body can lead it to
        raise Refusal(f"holds a damaged {tag}") from error
    return [decoder.decode(tree) for tree in trees] if made is None else made


def _decode_members(decoder: Decodes, tag: str, bodies: list[Any]) -> list[Any] | None:
    """Members of enums, each made once."""
    if set(map(type, bodies)) != {list} or set(map(len, bodies)) != {2}:
        return None
    if not set(map(type, chain.from_iterable(bodies))) <= {str, int}:  # True is equal to 1
        return None
    pairs = list(map(tuple, bodies))
    made = {pair: decoder.decode({tag: list(pair)}) for pair in set(pairs)}
    return list(map(made.__getitem__, pairs))


def _decode_instances(decoder: Decodes, tag: str, bodies: list[Any]) -> list[Any] | None:
    """Instances of one class, each with all its fields and nothing else; None for others."""
    if set(map(type, bodies)) != {list} or set(map(len, bodies)) != {2}:
        return None
    given = list(map(itemgetter(0), bodies))
    names = set(given) if set(map(type, given)) == {str} else set()
    is_one = len(names) == 1 and names.isdisjoint(decoder.changed)
    cls = decoder.registry.resolve(next(iter(names))) if is_one else None
    if cls is None or shape_of(cls) is not BY_TAG[tag] or (layout := layout_of(cls)) is None:
        return None
    states = list(map(itemgetter(1), bodies))
    rows = layout.rows_of(states)
    columns = None if rows is None else _columns_of(layout, rows)
    if rows is None or columns is None:
        return None
    made = [decode_many(decoder, column) for column in columns]
    if any(map(is_not, made, columns)):
        rows = list(map(dict, rows))  # what is refused later is read again from the same trees
        _put(rows, layout.names, made, columns)
    return layout.make_many(states, rows)


# -- comparing ---------------------------------------------------------------------------------------------------------
def are_same(comparison: Compares, left: list[Any], right: list[Any]) -> bool:
    """Whether two lists hold the same values in the same order."""
    kinds = set(map(type, left))
    if kinds != set(map(type, right)) or (len(kinds) > 1 and list(map(type, left)) != list(map(type, right))):
        return all(map(comparison.one, left, right))
    if kinds <= PLAIN:
        if left == right:
            return float not in kinds or _bits(left, kinds) == _bits(right, kinds)  # 0.0 equals -0.0
        return float in kinds and all(map(comparison.one, left, right))  # NaN is the same and not equal to itself
    if len(kinds) == 2 and _NONE in kinds:
        return are_same(comparison, _without_none(left), _without_none(right))
    if len(kinds) == 1 and len(left) >= FEW:
        (kind,) = kinds
        if kind is list or kind is tuple:
            is_cut_alike = list(map(len, left)) == list(map(len, right))
            return is_cut_alike and are_same(comparison, *(list(chain.from_iterable(side)) for side in (left, right)))
        if kind is dict:
            return _are_dicts_same(comparison, left, right)
        if kind in EQUAL_IS_SAME and left == right and EQUAL_IS_SAME[kind](left, right):
            return True
        if (tag := BY_TYPE.get(kind)) is not None and kind not in UNORDERED:
            return are_same(comparison, list(map(tag.take, left)), list(map(tag.take, right)))
        if issubclass(kind, Enum) and all(map(is_, left, right)):
            return True
        if (found := _are_instances_same(comparison, kind, left, right)) is not None:
            return found
    return all(map(comparison.one, left, right))


def _bits(values: list[Any], kinds: set[type]) -> bytes:
    floats = values if len(kinds) == 1 else [value for value in values if type(value) is float]
    return array("d", floats).tobytes()


def _are_dicts_same(comparison: Compares, left: list[dict[Any, Any]], right: list[dict[Any, Any]]) -> bool:
    if list(map(len, left)) != list(map(len, right)):
        return False
    if not are_same(comparison, list(chain.from_iterable(left)), list(chain.from_iterable(right))):
        return False
    values = [list(chain.from_iterable(map(dict.values, side))) for side in (left, right)]
    return are_same(comparison, *values)


def _are_instances_same(comparison: Compares, kind: type, left: list[Any], right: list[Any]) -> bool | None:
    """None where they have to be compared one by one."""
    layout = layout_of(kind) if comparison.registry.code_of(kind) is None else None
    sides = [None if layout is None else layout.read_many(side) for side in (left, right)]
    if layout is None or sides[0] is None or sides[1] is None:
        return None
    columns = [_columns_of(layout, side) for side in sides if side is not None]
    if columns[0] is None or columns[1] is None:
        return None
    is_same = all(are_same(comparison, *pair) for pair in zip(*columns, strict=True))
    return is_same and layout.marks_of(left) == layout.marks_of(right)
