"""The limits of a queue, as a program gives them: checked where they are given, and in the form that stores keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict, cast, get_args

from .._core.given import seconds_of, whole_number
from .._engine.options import MOST_AT_ONCE
from ..errors import UsageError
from ..stores.limits import Overflow
from ..typing import Seconds

Rate = tuple[int, Seconds]
"""So many, within so many seconds."""

MOST_PERIOD_SECONDS: Final = 366 * 86_400.0
"""A longer window was meant in another unit."""


class QueueLimits(TypedDict, total=False):
    """The limits of a queue beside `concurrency`; see `Queue`."""

    worker_concurrency: int | None
    rate: Rate | None
    key_concurrency: int | None
    key_rate: Rate | None
    on_overflow: Overflow | None


class LimitChanges(QueueLimits, total=False):
    """What may be set of a queue from outside; see `Queues.set`."""

    concurrency: int | None


def declared_limits(name: str, concurrency: int | None, limits: QueueLimits) -> dict[str, Any]:
    """What a program declares: what is None is not declared. Raises `UsageError`."""
    given = checked_limits(f"queue {name!r}", {"concurrency": concurrency, **limits})
    declared = {limit: value for limit, value in given.items() if value is not None}
    if declared.get("on_overflow", "wait") == "wait":
        declared.pop("on_overflow", None)
    elif "concurrency" not in declared and "key_concurrency" not in declared:
        raise UsageError(
            f"queue {name!r}: on_overflow={declared['on_overflow']!r} says what becomes of runs for which there is no "
            "room: give concurrency= or key_concurrency= too"
        )
    return declared


def checked_limits(what: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The limits, each checked; None stays None. Raises `UsageError` for a name that is none, and for a value that
    cannot be.
    """
    unknown = [name for name in given if name not in LimitChanges.__annotations__ | QueueLimits.__annotations__]
    if unknown:
        known = ", ".join([*LimitChanges.__annotations__])
        raise UsageError(f"{what} has no limit {', '.join(unknown)}; there are {known}")
    return {name: None if value is None else _checked(name, value, f"{what}: {name}") for name, value in given.items()}


def _checked(name: str, value: Any, what: str) -> Any:
    if name in ("rate", "key_rate"):
        return _rate(value, what)
    if name != "on_overflow":
        return whole_number(value, what, most=MOST_AT_ONCE)
    if value not in get_args(Overflow):
        raise UsageError(f"{what}={value!r}: give one of {', '.join(map(repr, get_args(Overflow)))}")
    return value


def _rate(given: Any, what: str) -> list[float]:
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != 2:
        raise UsageError(f"{what}={given!r}: give a number and in how many seconds, such as (100, 60)")
    count = whole_number(given[0], f"{what}, its number")
    seconds = seconds_of(cast("Seconds", given[1]), f"{what}, its seconds", above_zero=True)
    if seconds > MOST_PERIOD_SECONDS:
        raise UsageError(f"{what}={given!r}: a window of more than a year cannot be; give it in seconds")
    return [count, seconds]
