"""What becomes of a schedule that somebody sets from outside: what is given, over what was there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from .._core.definitions import DEFINITIONS
from .._core.given import LEAST_INTEGER, arguments_of, text_name, whole_number
from .._core.serialization import Serializer
from .._entries import Stored
from ..errors import UsageError
from ..stores.protocol import ScheduleRow
from ..typing import DEFAULT_QUEUE
from .schedule_options import ScheduleOptions, Timing, catch_up_of, overlap_beside, rule_of, schedulable
from .wanted_runs import queue_name

MOST_ATTEMPTS = 10
"""Of a function of which only the name is known."""


def edited(
    name: str,
    row: ScheduleRow | None,
    function: Callable[..., Any] | str | None,
    options: ScheduleOptions,
    serializer: Serializer,
) -> ScheduleRow:
    """The row, without when it comes next. Raises `UsageError` for what cannot be."""
    unknown = [option for option in options if option not in ScheduleOptions.__annotations__]
    if unknown:
        known = ", ".join(f"{option}=" for option in ScheduleOptions.__annotations__)
        raise UsageError(f"schedules.set() has no option {', '.join(unknown)}; it has {known}")
    if row is None and function is None:
        raise UsageError(
            f"there is no schedule {name!r}: to make one, say what it starts: schedules.set(name, function), "
            "or `perdure schedules set NAME --function MODULE:NAME`"
        )
    made = row or ScheduleRow(
        name=name,
        function="",
        kind="workflow",
        queue=DEFAULT_QUEUE,
        priority=0,
        max_attempts=MOST_ATTEMPTS,
        fingerprint="",
        input=Stored("json", ""),
        cron=None,
        timezone=None,
        every_seconds=None,
        once_at=None,
        jitter_seconds=0.0,
        overlap="skip",
        catch_up="latest",
    )
    made = _with_function(made, function, options, serializer)
    made = _with_times(made, options)
    overlap = options.get("overlap", made.overlap if row else None)
    catch_up = catch_up_of(options["catch_up"]) if "catch_up" in options else made.catch_up
    return replace(
        made,
        queue=queue_name(options["queue"]) if "queue" in options else made.queue,
        priority=whole_number(options["priority"], "priority", least=LEAST_INTEGER)
        if "priority" in options
        else made.priority,
        overlap=overlap_beside(catch_up, overlap),
        catch_up=catch_up,
    )


def _with_function(
    row: ScheduleRow, function: Callable[..., Any] | str | None, options: ScheduleOptions, serializer: Serializer
) -> ScheduleRow:
    """With what it starts: a function anew takes the arguments anew, too."""
    if function is None and "args" not in options and "kwargs" not in options:
        return row
    args, kwargs = arguments_of(options.get("args", ()), options.get("kwargs", {}), "schedules.set")
    given = row.function if function is None else function
    definition = DEFINITIONS.get(text_name(given, "function")) if isinstance(given, str) else schedulable(given)
    if definition is not None:
        stored, fingerprint = definition.store_arguments(serializer, args, kwargs)
        return replace(
            row,
            function=definition.name,
            kind=definition.kind,
            max_attempts=definition.max_attempts,
            input=stored,
            fingerprint=fingerprint,
        )
    stored, _, _ = serializer.accept_arguments(args, kwargs, what=f"{given}, its arguments")
    return replace(row, function=str(given), input=stored, fingerprint=serializer.fingerprint(stored))


def _with_times(row: ScheduleRow, options: ScheduleOptions) -> ScheduleRow:
    """With when it comes: what says so now takes the place of what said so before."""
    is_anew = any(name in options for name in ("cron", "every", "at"))
    cron = options.get("cron") if is_anew else row.cron
    timing = Timing(
        cron=cron,
        every=options.get("every") if is_anew else row.every_seconds,
        at=options.get("at") if is_anew else _moment(row.once_at),
        timezone=options.get("timezone", row.timezone if cron is not None else None),
        jitter=options.get("jitter", row.jitter_seconds),
    )
    rule = rule_of(timing, "schedules.set")
    return replace(
        row,
        cron=rule.cron,
        timezone=rule.timezone,
        every_seconds=rule.every_seconds,
        once_at=rule.once_at,
        jitter_seconds=rule.jitter_seconds,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
