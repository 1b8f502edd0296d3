"""Whether a value came back as it went in: equal, and of the same type, all the way down.

Stricter than `==`, which takes 1 for True and for 1.0, 0.0 for -0.0 and one instant in two time zones for the same;
and wider where `==` knows identity only (errors) or says no (NaN). Of two dicts the order counts as well.
"""

from __future__ import annotations

from typing import Any

from .raised import attributes_of, notes_of, slots_of
from .shapes import shape_of
from .tags import BY_TYPE

_BY_EQUALITY = (str, int, bool, bytes, bytearray, type(None))


def same(left: Any, right: Any) -> bool:
    """Whether both are equal and of the same type, deeply. Different objects count as the same: identity is not kept.

    Raises `RecursionError` for what is nested too deeply to tell.
    """
    kind: Any = type(left)
    if kind is not type(right):
        return False
    if kind in _BY_EQUALITY:
        return bool(left == right)
    if kind is float:
        return repr(left) == repr(right)
    if kind is list or kind is tuple:
        return len(left) == len(right) and all(map(same, left, right))
    if kind is set or kind is frozenset:
        return _same_members(left, right)
    if isinstance(left, dict) and (kind is dict or kind in BY_TYPE):
        return len(left) == len(right) and all(map(same, left.items(), right.items()))
    if kind in BY_TYPE:
        return same(BY_TYPE[kind].take(left), BY_TYPE[kind].take(right))
    if isinstance(left, BaseException):
        return _same_error(left, right)
    shape = shape_of(kind)  # type: ignore[arg-type]  # mypy takes a type[Any] for unhashable
    if shape is not None:
        return same(shape.take(left), shape.take(right))
    return bool(left == right)


def _same_members(left: Any, right: Any) -> bool:
    """Whether each member of one set has its own counterpart in the other; a NaN is not found by looking it up."""
    if len(left) != len(right):
        return False
    by_value = {member: member for member in right}
    odd: list[Any] = []
    for member in left:
        if member in by_value and same(member, by_value[member]):
            del by_value[member]
        else:
            odd.append(member)
    remaining = list(by_value.values())
    for member in odd:
        place = next((index for index, other in enumerate(remaining) if same(member, other)), None)
        if place is None:
            return False
        del remaining[place]
    return not remaining


def _same_error(left: BaseException, right: BaseException) -> bool:
    def parts(error: BaseException) -> list[object]:
        return [
            error.args,
            error.exceptions if isinstance(error, BaseExceptionGroup) else (),
            slots_of(error),
            attributes_of(error),
            notes_of(error),
            error.__cause__,
            error.__context__ if error.__context__ is not error.__cause__ else None,
        ]

    return same(parts(left), parts(right))
