"""Subclasses of builtin types (`class Tags(list)`, `class UserId(str)`): what the builtin part holds, and attributes.

Both ways go past whatever the class itself does: taking by the builtin's own methods, making by its own `__new__`.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from types import MemberDescriptorType
from typing import Any

from .refusal import Refusal

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: the class was made at run time


_FACTORY: Any = vars(defaultdict)["default_factory"]


def _extended(base: Any, add: str) -> Callable[[Any, Any], object]:
    """Make an empty one, then fill it."""

    def make(cls: Any, plain: Any) -> object:
        made = base.__new__(cls)
        getattr(base, add)(made, plain)
        return made

    return make


def _make_ordered(cls: Any, plain: OrderedDict[Any, Any]) -> object:
    made = OrderedDict.__new__(cls)
    for key, member in plain.items():
        OrderedDict.__setitem__(made, key, member)
    return made


def _take_datetime(value: dt.datetime) -> dt.datetime:
    return dt.datetime.combine(dt.datetime.date(value), dt.datetime.timetz(value))


def _make_datetime(cls: Any, plain: dt.datetime) -> object:
    clock: tuple[Any, ...] = (plain.hour, plain.minute, plain.second, plain.microsecond, plain.tzinfo)
    return dt.datetime.__new__(cls, plain.year, plain.month, plain.day, *clock, fold=plain.fold)


def _make_defaultdict(cls: Any, plain: defaultdict[Any, Any]) -> object:
    made = _extended(dict, "update")(cls, plain)
    _FACTORY.__set__(made, plain.default_factory)
    return made


def _take_deque(value: deque[Any]) -> deque[Any]:
    return deque(deque.__iter__(value), value.maxlen)


def _make_deque(cls: Any, plain: deque[Any]) -> object:
    made = deque.__new__(cls)
    deque.__init__(made, plain, plain.maxlen)
    return made


def _by_new(base: Any) -> Callable[[Any, Any], object]:
    return lambda cls, plain: base.__new__(cls, plain)


_BUILTINS: dict[type, tuple[Callable[[Any], Any], Callable[[Any, Any], object]]] = {
    # before their own bases
    defaultdict: (lambda value: defaultdict(value.default_factory, dict.items(value)), _make_defaultdict),
    OrderedDict: (lambda value: OrderedDict(OrderedDict.items(value)), _make_ordered),
    Counter: (lambda value: Counter(dict(dict.items(value))), _extended(dict, "update")),
    dict: (lambda value: dict(dict.items(value)), _extended(dict, "update")),
    list: (lambda value: list(list.__iter__(value)), _extended(list, "extend")),
    set: (lambda value: set(set.__iter__(value)), _extended(set, "update")),
    frozenset: (lambda value: frozenset(frozenset.__iter__(value)), _by_new(frozenset)),
    tuple: (lambda value: tuple(tuple.__iter__(value)), _by_new(tuple)),
    deque: (_take_deque, _make_deque),
    str: (str.__str__, _by_new(str)),
    int: (int.__int__, _by_new(int)),
    float: (float.__float__, _by_new(float)),
    complex: (lambda value: complex(value.real, value.imag), _by_new(complex)),
    bytes: (lambda value: bytes.__getitem__(value, slice(None)), _by_new(bytes)),
    bytearray: (lambda value: bytearray(bytearray.__getitem__(value, slice(None))), _extended(bytearray, "extend")),
    Decimal: (Decimal, _by_new(Decimal)),
    dt.datetime: (_take_datetime, _make_datetime),
    dt.date: (
        lambda value: dt.date(value.year, value.month, value.day),
        lambda cls, plain: dt.date.__new__(cls, plain.year, plain.month, plain.day),
    ),
    dt.timedelta: (
        lambda value: dt.timedelta(value.days, value.seconds, value.microseconds),
        lambda cls, plain: dt.timedelta.__new__(cls, plain.days, plain.seconds, plain.microseconds),
    ),
}


def builtin_of(cls: type) -> type | None:
    """The builtin type that this class extends, in Python; None for a builtin type itself, and for what an extension
    module has made of it (numpy's floats, pandas' times), which may keep more than we see.
    """
    for owner in cls.__mro__:
        if owner in _BUILTINS:
            return None if owner is cls else owner
        if not owner.__flags__ & _HEAP_TYPE:
            return None
    return None


def take_subclass(value: Any) -> object:
    """The builtin value that an instance of a subclass holds."""
    base = builtin_of(type(value))
    assert base is not None  # the shape fits
    return _BUILTINS[base][0](value)


def make_subclass(cls: type, plain: object) -> object:
    """An instance of the subclass that holds this builtin value."""
    base = builtin_of(cls)
    if base is None or type(plain) is not base:
        raise Refusal(f"holds {type(plain).__name__}, which {cls.__qualname__} does not extend")
    try:
        return _BUILTINS[base][1](cls, plain)
    except TypeError as error:
        raise Refusal(
            f"is a {cls.__qualname__}, which keeps more than a {base.__name__}; give "
            f"perdure.register({cls.__name__}, encode=…, decode=…)"
        ) from error


def attributes_of_subclass(value: object) -> dict[str, object]:
    """The instance's own attributes, in its dictionary and in slots of its classes."""
    found = dict(getattr(value, "__dict__", {}))
    for owner in type(value).__mro__:
        if owner in _BUILTINS:
            break
        for name, place in owner.__dict__.items():
            if isinstance(place, MemberDescriptorType):
                try:
                    found[name] = place.__get__(value)
                except AttributeError:  # a slot that is not set
                    continue
    found.pop("__orig_class__", None)
    return found
