"""The standard library's value types that JSON lacks: how each is taken apart into simpler values and made again.

A tagged value is written as an object with one key, `{"$decimal": "1.10"}`. Taking apart gives a simpler value which
is encoded in turn; making gets that simpler value decoded, checks it, and raises for anything it does not expect.
Types are meant exactly: a subclass is another type.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import uuid
from binascii import a2b_base64, b2a_base64
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from operator import attrgetter, is_
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from ...errors import RecordedObject
from .refusal import Refusal
from .zones import take_dateutil_zone, take_pydantic_zone, zone_of_key


@dataclass(slots=True, frozen=True)
class Tag:
    """One tag: its name with the dollar sign, and the two ways."""

    name: str
    take: Callable[[Any], object]
    make: Callable[[Any], object]


def expect(value: object, *types: type) -> Any:
    """Return the value if its type is exactly one of the given ones."""
    if type(value) not in types:
        raise Refusal(f"holds {type(value).__name__} where {' or '.join(t.__name__ for t in types)} belongs")
    return value


def pairs_to_dict(pairs: object) -> dict[object, object]:
    """Build a dict from a list of pairs; a key that comes twice means that the text is damaged."""
    made: dict[object, object] = {}
    for pair in expect(pairs, list):
        key, value = expect(pair, list, tuple)
        made[key] = value
    if len(made) != len(expect(pairs, list)):
        raise Refusal("holds a key twice")
    return made


def unique(kind: Callable[[Iterable[object]], Any], members: object) -> object:
    """Build a set; a member that comes twice means that the text is damaged."""
    made = kind(expect(members, list))
    if len(made) != len(expect(members, list)):
        raise Refusal("holds a member twice")
    return made


def _is_storable(zone: dt.tzinfo) -> bool:
    if type(zone) is dt.timezone or type(zone) is ZoneInfo:
        return True
    return take_pydantic_zone(zone) is not None or take_dateutil_zone(zone) is not None


def _take_moment(value: dt.datetime | dt.time) -> object:
    """ISO text where it says everything; else a list of ISO text, zone and fold."""
    zone = value.tzinfo
    if (zone is None or zone is dt.UTC) and not value.fold:
        return value.isoformat()
    if zone is not None and not _is_storable(zone):
        raise Refusal(
            f"has a time zone of type {type(zone).__name__}, which cannot be stored; use zoneinfo.ZoneInfo or "
            f"datetime.timezone"
        )
    if isinstance(value, dt.datetime) and type(zone).__name__ == "tzlocal":  # of another machine it is another one
        return [value.astimezone(dt.UTC).isoformat(), zone, 0]
    is_plain_zone = zone is None or (type(zone) is dt.timezone and _take_timezone(zone)[1] is None)
    if is_plain_zone and not value.fold:
        return value.isoformat()
    return [value.replace(tzinfo=None, fold=0).isoformat(), zone, value.fold]


def _have_the_same_zones(left: list[Any], right: list[Any]) -> bool:
    """Whether equal moments are told by the same clocks."""
    zone, fold = attrgetter("tzinfo"), attrgetter("fold")
    return all(map(is_, map(zone, left), map(zone, right))) and list(map(fold, left)) == list(map(fold, right))


def _make_moment(kind: type[dt.datetime] | type[dt.time]) -> Callable[[object], object]:
    def make(simple: object) -> object:
        if type(simple) is str:
            return kind.fromisoformat(simple)
        text, zone, fold = expect(simple, list)
        if zone is not None and not isinstance(zone, dt.tzinfo):
            raise Refusal("names a time zone that is none")
        moment: Any = kind.fromisoformat(expect(text, str))
        if moment.tzinfo is not None:
            return moment.astimezone(zone)
        return moment.replace(tzinfo=zone, fold=expect(fold, int))

    return make


def _take_timezone(value: dt.tzinfo) -> list[object]:
    """Offset and name; the name is None where it is the one that Python gives by itself."""
    offset = value.utcoffset(None) or dt.timedelta(0)
    name = value.tzname(None)
    return [_take_timedelta(offset), None if name == dt.timezone(offset).tzname(None) else name]


def _make_timezone(simple: object) -> dt.timezone:
    offset, name = expect(simple, list)
    if name is None:
        return dt.timezone(_make_timedelta(offset))
    return dt.timezone(_make_timedelta(offset), expect(name, str))


def _take_timedelta(value: dt.timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _make_timedelta(simple: object) -> dt.timedelta:
    days, seconds, microseconds = (expect(part, int) for part in expect(simple, list))
    return dt.timedelta(days, seconds, microseconds)


def _take_zone(value: ZoneInfo) -> str:
    if value.key is None:
        raise Refusal("is a time zone without a key, read from a file; use ZoneInfo(key)")
    return value.key


_DECIMAL = re.compile(r"[-+]?(\d[\d.]*(E[-+]?\d{1,20})?|\.\d+(E[-+]?\d{1,20})?|Infinity|s?NaN\d*)", re.ASCII)


def _make_decimal(simple: object) -> Decimal:
    if not _DECIMAL.fullmatch(expect(simple, str)):
        raise Refusal("is no decimal number")
    return Decimal(expect(simple, str))


def _make_fraction(simple: object) -> Fraction:
    numerator, denominator = (expect(part, int) for part in expect(simple, list))
    return Fraction(numerator, denominator)


def _make_complex(simple: object) -> complex:
    real, imaginary = (expect(part, float) for part in expect(simple, list))
    return complex(real, imaginary)


def _make_range(simple: object) -> range:
    start, stop, step = (expect(part, int) for part in expect(simple, list))
    return range(start, stop, step)


def _take_bytes(value: bytes | bytearray) -> str:
    return b2a_base64(value, newline=False).decode("ascii")


def _make_bytes(simple: object) -> bytes:
    return a2b_base64(expect(simple, str), strict_mode=True) if simple else b""


def _of_text(kind: Callable[[str], object]) -> Callable[[object], object]:
    return lambda simple: kind(expect(simple, str))


def _take_deque(value: deque[object]) -> list[object]:
    return [list(value), value.maxlen]


def _make_deque(simple: object) -> deque[object]:
    members, maxlen = expect(simple, list)
    return deque(expect(members, list), None if maxlen is None else expect(maxlen, int))


_FACTORIES: dict[str, Callable[[], Any]] = {
    kind.__name__: kind
    for kind in (list, dict, set, frozenset, tuple, str, bytes, int, float, bool, Counter, OrderedDict, deque)
}


def _take_defaultdict(value: defaultdict[object, object]) -> list[object]:
    factory = value.default_factory
    name = getattr(factory, "__name__", None)
    if factory is not None and _FACTORIES.get(str(name)) is not factory:
        raise Refusal("is a defaultdict whose factory is a function of its own; convert it with dict(…)")
    return [name, dict(value)]


def _make_defaultdict(simple: object) -> defaultdict[object, object]:
    name, members = expect(simple, list)
    return defaultdict(None if name is None else _FACTORIES[expect(name, str)], expect(members, dict))


def _take_recorded(value: RecordedObject) -> list[object]:
    return [value.type_name, dict(value.kept)]


def _make_recorded(simple: object) -> RecordedObject:
    name, kept = expect(simple, list)
    return RecordedObject(expect(name, str), expect(kept, dict))


def _take_pattern(value: re.Pattern[Any]) -> list[object]:
    return [value.pattern, value.flags]


def _make_pattern(simple: object) -> re.Pattern[Any]:
    pattern, flags = expect(simple, list)
    if expect(flags, int) & re.DEBUG:  # it would print
        raise Refusal("is a pattern with re.DEBUG")
    found: re.Pattern[Any] = re.compile(expect(pattern, str, bytes), expect(flags, int))
    return found


def _take_pairs(value: dict[object, object]) -> list[object]:
    return [[key, member] for key, member in value.items()]


TUPLE = Tag("$tuple", list, lambda simple: tuple(expect(simple, list)))
DICT = Tag("$dict", _take_pairs, pairs_to_dict)
SET = Tag("$set", list, lambda simple: unique(set, simple))
FROZENSET = Tag("$frozenset", list, lambda simple: unique(frozenset, simple))

BY_TYPE: dict[type, Tag] = {
    tuple: TUPLE,
    set: SET,
    frozenset: FROZENSET,
    bytes: Tag("$bytes", _take_bytes, _make_bytes),
    bytearray: Tag("$bytearray", _take_bytes, lambda simple: bytearray(_make_bytes(simple))),
    complex: Tag("$complex", lambda value: [value.real, value.imag], _make_complex),
    range: Tag("$range", lambda value: [value.start, value.stop, value.step], _make_range),
    dt.datetime: Tag("$datetime", _take_moment, _make_moment(dt.datetime)),
    dt.time: Tag("$time", _take_moment, _make_moment(dt.time)),
    dt.date: Tag("$date", dt.date.isoformat, _of_text(dt.date.fromisoformat)),
    dt.timedelta: Tag("$timedelta", _take_timedelta, _make_timedelta),
    dt.timezone: Tag("$timezone", _take_timezone, _make_timezone),
    ZoneInfo: Tag("$zone", _take_zone, lambda simple: zone_of_key(expect(simple, str))),
    Decimal: Tag("$decimal", str, _make_decimal),
    Fraction: Tag("$fraction", lambda value: [value.numerator, value.denominator], _make_fraction),
    uuid.UUID: Tag("$uuid", str, _of_text(uuid.UUID)),
    type(Path()): Tag("$path", str, _of_text(Path)),
    PurePosixPath: Tag("$pure_posix_path", str, _of_text(PurePosixPath)),
    PureWindowsPath: Tag("$pure_windows_path", str, _of_text(PureWindowsPath)),
    OrderedDict: Tag("$ordered_dict", _take_pairs, lambda simple: OrderedDict(pairs_to_dict(simple))),
    Counter: Tag("$counter", _take_pairs, lambda simple: Counter(pairs_to_dict(simple))),
    deque: Tag("$deque", _take_deque, _make_deque),
    defaultdict: Tag("$default_dict", _take_defaultdict, _make_defaultdict),
    re.Pattern: Tag("$pattern", _take_pattern, _make_pattern),
    msgspec.UnsetType: Tag("$unset", lambda value: None, lambda simple: msgspec.UNSET),
    RecordedObject: Tag("$recorded_object", _take_recorded, _make_recorded),
    ipaddress.IPv4Address: Tag("$ipv4_address", str, _of_text(ipaddress.IPv4Address)),
    ipaddress.IPv6Address: Tag("$ipv6_address", str, _of_text(ipaddress.IPv6Address)),
    ipaddress.IPv4Network: Tag("$ipv4_network", str, _of_text(ipaddress.IPv4Network)),
    ipaddress.IPv6Network: Tag("$ipv6_network", str, _of_text(ipaddress.IPv6Network)),
    ipaddress.IPv4Interface: Tag("$ipv4_interface", str, _of_text(ipaddress.IPv4Interface)),
    ipaddress.IPv6Interface: Tag("$ipv6_interface", str, _of_text(ipaddress.IPv6Interface)),
}

UNORDERED = (set, frozenset, OrderedDict, Counter)
"""Those that are not written as what they are taken apart into: members are sorted, keys may be anything."""

CONTAINERS = (tuple, deque, defaultdict, RecordedObject)
"""Those that may hold anything, themselves too."""

EQUAL_IS_SAME: dict[type, Callable[[list[Any], list[Any]], bool]] = {
    dt.datetime: _have_the_same_zones,
    dt.date: lambda left, right: True,
    dt.timedelta: lambda left, right: True,
    uuid.UUID: lambda left, right: True,
    bytes: lambda left, right: True,
}
"""Those of which equal ones are the same, where this says yes, too."""
