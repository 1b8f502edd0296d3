"""What the program gives us, checked where it is given and brought into one form: durations, numbers, names.

A value that would be refused by the database, or stop a loop, much later and far away, is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import inf, isnan
from operator import index
from types import NoneType, UnionType
from typing import Any, Final, SupportsFloat, SupportsIndex, Union, get_args, get_origin

from ..errors import SerializationError, UsageError
from ..typing import Seconds

MOST_SECONDS: Final = 3_200_000_000.0
"""A hundred years: what is longer was meant as for ever, or in another unit, and some clock would overflow."""
LATEST: Final = datetime(9890, 1, 1, tzinfo=UTC).timestamp()
"""A moment after it was meant as never, and with a duration added no `datetime` could say it."""
EARLIEST: Final = datetime.min.replace(tzinfo=UTC).timestamp()
LONGEST_NAME: Final = 500
"""In characters: a name is part of the key of an index, whose rows the databases limit."""
LEAST_INTEGER: Final = -(1 << 31)
MOST_INTEGER: Final = (1 << 31) - 1
"""What an integer of Postgres takes."""


def seconds_of(given: Seconds, what: str, *, above_zero: bool = False) -> float:
    """A duration in seconds. Raises `UsageError` where it is none, negative, or longer than a hundred years."""
    seconds = as_seconds(given, what)
    if isnan(seconds) or seconds < 0 or seconds > MOST_SECONDS or (above_zero and seconds == 0):
        least = "above 0" if above_zero else "0 or more"
        raise UsageError(f"{what}={given!r}: give a number of seconds {least}, a hundred years at most, or a timedelta")
    return seconds


def moment_of(given: datetime, what: str) -> float:
    """A moment in seconds since the epoch, `LATEST` for all that is after that. Raises `UsageError` where it is no
    `datetime`, or has no time zone.
    """
    if not isinstance(given, datetime) or given.tzinfo is None:
        raise UsageError(
            f"{what}={given!r}: give a time with a time zone, such as datetime.now(UTC) + timedelta(hours=1)"
        )
    return min(max(given.timestamp(), EARLIEST), LATEST)


def as_seconds(given: Seconds, what: str) -> float:
    """Any number of seconds: where the standard library's own rules are to be kept, a negative one too."""
    if isinstance(given, timedelta):
        return given.total_seconds()
    if isinstance(given, SupportsFloat) and not isinstance(given, (bool, type)):
        with suppress(OverflowError, ValueError):
            return float(given)
        return inf
    raise UsageError(f"{what}={given!r}: give a number of seconds or a timedelta, not a {type(given).__name__}")


def limit_of(given: Seconds | None, what: str) -> float | None:
    """How long to wait at most: None is for ever; negative, as in the standard library, not at all."""
    if given is None:
        return None
    seconds = as_seconds(given, what)
    if isnan(seconds) or seconds > MOST_SECONDS:
        raise UsageError(f"{what}={given!r}: give a number of seconds, or None to wait for ever")
    return seconds


def whole_number(given: int, what: str, *, least: int = 1, most: int = MOST_INTEGER) -> int:
    """An integer in these limits. Raises `UsageError` for everything else, fractions and booleans included."""
    number = index(given) if isinstance(given, SupportsIndex) and not isinstance(given, (bool, type)) else None
    if number is None or not least <= number <= most:
        raise UsageError(f"{what}={given!r}: give a whole number from {least} to {most}")
    return number


def one_of(given: str, what: str, choices: Sequence[str]) -> str:
    """One of these words."""
    if given not in choices:
        raise UsageError(f"{what}={given!r}: give {' or '.join(map(repr, choices))}")
    return given


def flag(given: bool, what: str) -> bool:
    """True or False, and nothing that merely counts as one of them."""
    if not isinstance(given, bool):
        raise UsageError(f"{what}={given!r}: give True or False")
    return given


def text_name(given: str, what: str) -> str:
    """A name or id: a text that every database takes. Raises `UsageError` where it is empty, too long, or has
    characters that cannot be stored or seen.
    """
    if not isinstance(given, str):
        raise UsageError(f"{what}={given!r}: give a text, not a {type(given).__name__}")
    if not 0 < len(given) <= LONGEST_NAME or not given.isprintable():
        shown = ascii(given if len(given) <= LONGEST_NAME else given[:40] + "…")
        raise UsageError(
            f"{what}={shown}: give a text of 1 to {LONGEST_NAME} characters without control characters, line breaks "
            "and lone surrogates"
        )
    return given


def arguments_of(args: object, kwargs: object, what: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call to come. A text is no list of them: it was meant as one."""
    if not isinstance(args, Sequence) or isinstance(args, (str, bytes)):
        raise UsageError(f"{what}: args={args!r}: give a list or a tuple of arguments, such as ({args!r},)")
    if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
        raise UsageError(f"{what}: kwargs={kwargs!r}: give a dict of arguments by their names")
    return tuple(args), dict(kwargs)


def check_type(expected: Any) -> None:
    """What `isinstance` can answer."""
    parts = get_args(expected) if get_origin(expected) in (Union, UnionType) else (expected,)
    if not all(isinstance(part, type) for part in parts if part is not NoneType):
        raise UsageError(f"type={expected!r}: give a class, or a union of classes")


def fitting(found: Any, what: str, expected: Any) -> Any:
    """What was found, which must be of the type, if one is asked for. Raises `SerializationError`."""
    if expected is not None and not isinstance(found, expected):
        raise SerializationError(f"{what} is a {type(found).__name__}, and was to be {expected}")
    return found
