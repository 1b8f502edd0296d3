"""Whether a value came back as it went in: equal, and of the same type, all the way down.

Stricter than `==`, which takes 1 for True and for 1.0, 0.0 for -0.0 and one instant in two time zones for the same;
and wider where `==` knows identity only (errors) or says no (NaN). Of two dicts the order counts as well.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

from .columns import FEW, are_same, pieces_of
from .layouts import generic_origin
from .raised import attributes_of, notes_of, slots_of
from .registry import TypeRegistry
from .shapes import shape_of
from .tags import BY_TYPE
from .validation import validation_of

_BY_EQUALITY = (str, int, bool, bytes, bytearray, type(None))


class Comparison:
    """Compares values of the types that a registry knows.

    `trusts`: of an object that is of no type we know, and says nothing itself (its `==` is identity, or gives no yes
    or no, as an array's does), the type is enough; for codecs that store such objects.
    """

    def __init__(self, registry: TypeRegistry, *, trusts: bool = False) -> None:
        self.registry = registry
        self._trusts = trusts

    def one(self, left: Any, right: Any) -> bool:
        """Whether both are equal and of the same type, deeply. Different objects count as the same: identity is not
        kept. Raises `RecursionError` for what is nested too deeply to tell.
        """
        kind: Any = type(left)
        if kind is not type(right) and generic_origin(kind) is not type(right):
            return False
        if kind in _BY_EQUALITY:
            return bool(left == right)
        if kind is float:
            return repr(left) == repr(right)
        if (code := self.registry.code_of(kind)) is not None:
            return self.one(code.encode(left), code.encode(right))
        if kind is list or kind is tuple:
            return len(left) == len(right) and self._all(left, right)
        if kind is set or kind is frozenset:
            return self._are_members_same(left, right)
        if kind is dict or kind is OrderedDict or kind is Counter:
            return len(left) == len(right) and self._all(left, right) and self._all(left.values(), right.values())
        if kind in BY_TYPE:
            return self.one(BY_TYPE[kind].take(left), BY_TYPE[kind].take(right))
        if isinstance(left, BaseException):
            return self.one(_parts_of_error(left), _parts_of_error(right))
        return self._is_instance_same(left, right, kind)

    def _all(self, left: Any, right: Any) -> bool:
        """Members in order."""
        if len(left) >= FEW:
            pairs = zip(pieces_of(list(left)), pieces_of(list(right)), strict=True)
            return all(are_same(self, *pair) for pair in pairs)
        return all(map(self.one, left, right))

    def _is_instance_same(self, left: Any, right: Any, kind: type) -> bool:
        shape = shape_of(kind)
        if shape is not None and not (self._trusts and shape.is_same):
            if shape.is_same is not None:
                return shape.is_same(left, right)
            (one, its_extras), (other, extras) = shape.take(left), shape.take(right)
            return self._is_state_same(one, other) and (its_extras == extras == {} or self.one(its_extras, extras))
        if not self._trusts:
            return bool(left == right)
        is_silent = getattr(kind, "__eq__", None) is object.__eq__
        return is_silent or (left == right) is not False

    def _is_state_same(self, left: Any, right: Any) -> bool:
        """Fields may stand in any order: an instance's own dictionary has them as they were set."""
        if type(left) is not dict or type(right) is not dict:
            return self.one(left, right)
        return left.keys() == right.keys() and all(self.one(member, right[name]) for name, member in left.items())

    def _are_members_same(self, left: Any, right: Any) -> bool:
        """Whether each member of one set has its own counterpart in the other; a NaN is not found by looking it up."""
        if len(left) != len(right):
            return False
        by_value = {member: member for member in right}
        odd: list[Any] = []
        for member in left:
            if member in by_value and self.one(member, by_value[member]):
                del by_value[member]
            else:
                odd.append(member)
        remaining = list(by_value.values())
        for member in odd:
            place = next((index for index, other in enumerate(remaining) if self.one(member, other)), None)
            if place is None:
                return False
            del remaining[place]
        return not remaining


def _parts_of_error(error: BaseException) -> list[object]:
    return [
        error.args,
        error.exceptions if isinstance(error, BaseExceptionGroup) else (),
        slots_of(error),
        attributes_of(error),
        notes_of(error),
        validation_of(error),
        error.__cause__,
        error.__context__ if error.__context__ is not error.__cause__ else None,
    ]


same = Comparison(TypeRegistry()).one
"""`Comparison.one` for values of no registered type."""
