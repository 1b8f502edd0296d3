"""What a schedule is given, checked where it is given; and the decorator that declares one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, TypeVar, cast

from .._core.definitions import DEFINITIONS, Declaration, Definition, find_definition
from .._core.given import LEAST_INTEGER, arguments_of, moment_of, seconds_of, text_name, whole_number
from .._core.instants import Rule, zone_named
from ..errors import UsageError
from ..typing import DEFAULT_QUEUE, CatchUp, Overlap, Seconds
from .queue import Queue
from .starting import definition_of
from .wanted_runs import queue_name

F = TypeVar("F", bound=Callable[..., Any])

LONGEST_NAME = 200
"""Of a schedule: the ids of its runs begin with it."""
OVERLAPS: Sequence[Overlap] = ("skip", "queue", "cancel", "allow")
CATCH_UPS: Sequence[CatchUp] = ("latest", "all", "skip")


class ScheduleOptions(TypedDict, total=False):
    """When a schedule comes, and how it starts what it starts; see `schedule`."""

    cron: str
    every: Seconds
    at: datetime
    timezone: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    queue: Queue | str
    priority: int
    jitter: Seconds
    overlap: Overlap
    catch_up: CatchUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When, as it was given; what was not is None."""

    cron: str | None = None
    every: Seconds | None = None
    at: datetime | None = None
    timezone: str | None = None
    jitter: Seconds = 0.0


def schedule(
    cron: str | None = None,
    /,
    *,
    every: Seconds | None = None,
    at: datetime | None = None,
    timezone: str | None = None,
    name: str | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    queue: Queue | str = DEFAULT_QUEUE,
    priority: int = 0,
    jitter: Seconds = 0.0,
    overlap: Overlap | None = None,
    catch_up: CatchUp = "latest",
) -> Callable[[F], F]:
    """Declare that a workflow or step is started by the clock: `@schedule("0 9 * * *", timezone="Europe/Berlin")`,
    above `@workflow`. Whoever launches the program puts that into the database; exactly one run is made for each
    instant, whatever the number of processes.

    One of: `cron`, a line of minute, hour, day, month and weekday, with seconds in front if there are six parts, in
    `timezone` (UTC if none is named); `every`, whole seconds or a `timedelta`, counted from 1970-01-01 UTC; `at`, one
    time with a zone. `args` and `kwargs` are the run's arguments, `perdure.current().scheduled_at` its instant.

    `name`: of the schedule, the function's own otherwise; two schedules of one function need it. `queue` and `priority`
    as for a submitted run. `jitter`: each run begins later by up to so many seconds. `overlap`: while the run that it
    started last has not ended, `"skip"` leaves the instant out, `"queue"` waits for that end, `"cancel"` ends the old
    run, `"allow"` starts beside it; by default `"skip"`, and `"queue"` where all are caught up. `catch_up`: of the
    instants that were missed by more than a minute, for nobody was there, `"latest"` starts the last one, `"all"` each
    (with the overlap `"queue"` or `"allow"`), `"skip"` none.

    Raises `UsageError` for a line that is none or never comes, for an unknown zone, and where the function is no
    workflow or step.
    """
    timing = Timing(cron=cron, every=every, at=at, timezone=timezone, jitter=jitter)
    rule = rule_of(timing, "schedule")
    given_args, given_kwargs = arguments_of(args, {} if kwargs is None else kwargs, "schedule")

    def declare(function: F) -> F:
        definition = schedulable(function)
        DEFINITIONS.add_schedule(
            Declaration(
                name=schedule_name(definition.name if name is None else name),
                definition=definition,
                args=given_args,
                kwargs=given_kwargs,
                queue=queue_name(queue),
                priority=whole_number(priority, "schedule: priority", least=LEAST_INTEGER),
                rule=rule,
                overlap=overlap_beside(catch_up_of(catch_up), overlap),
                catch_up=catch_up_of(catch_up),
            )
        )
        return function

    return declare


def schedulable(function: Any) -> Definition:
    """The definition of what is to be started. Raises `UsageError` for what is none."""
    if find_definition(function) is None and not hasattr(function, "__perdure__") and callable(function):
        raise UsageError(
            f"@schedule stands above @workflow or @step: {getattr(function, '__qualname__', function)!s} is neither"
        )
    definition = definition_of(function)
    if definition.binds:
        raise UsageError(
            f"{definition.name} is a method, and a schedule has no object to call it of: schedule a function that does"
        )
    return definition


def rule_of(timing: Timing, what: str) -> Rule:
    """When it comes. Raises `UsageError` where that is nothing, twice, or never."""
    given = [name for name in ("cron", "every", "at") if getattr(timing, name) is not None]
    if len(given) != 1:
        raise UsageError(
            f"{what}: give one of a cron line, every= and at=" + (f", not {' and '.join(given)}" if given else "")
        )
    if timing.timezone is not None:
        if timing.cron is None:
            raise UsageError(f"{what}: timezone= is for a cron line; {given[0]}= needs none")
        zone_named(text_name(timing.timezone, "timezone"))
    rule = Rule(
        cron=None if timing.cron is None else " ".join(text_name(timing.cron, "cron").split()),
        timezone=timing.timezone,
        every_seconds=None if timing.every is None else whole_seconds(timing.every, f"{what}: every"),
        once_at=None if timing.at is None else round(moment_of(timing.at, f"{what}: at"), 3),
        jitter_seconds=seconds_of(timing.jitter, f"{what}: jitter"),
    )
    rule.check(time.time())
    return rule


def whole_seconds(given: Seconds, what: str) -> float:
    """A duration of whole seconds, at least one: what is counted for years must be exact."""
    seconds = seconds_of(given, what, above_zero=True)
    if seconds != int(seconds):
        raise UsageError(f"{what}={given!r}: give whole seconds")
    return seconds


def schedule_name(given: str) -> str:
    """The name of a schedule."""
    name = text_name(given, "name")
    if len(name) > LONGEST_NAME:
        raise UsageError(f"name={name!r}: a schedule's name has at most {LONGEST_NAME} characters: give it another one")
    return name


def overlap_of(given: object) -> Overlap:
    """One of the four."""
    if given not in OVERLAPS:
        raise UsageError(f"overlap={given!r}: give one of {', '.join(map(repr, OVERLAPS))}")
    return cast("Overlap", given)


def catch_up_of(given: object) -> CatchUp:
    """One of the three."""
    if given not in CATCH_UPS:
        raise UsageError(f"catch_up={given!r}: give one of {', '.join(map(repr, CATCH_UPS))}")
    return cast("CatchUp", given)


def overlap_beside(catch_up: CatchUp, given: object) -> Overlap:
    """Those that were missed are due at the same moment, so `"all"` needs an overlap that leaves none of them out."""
    if given is None:
        return "queue" if catch_up == "all" else "skip"
    overlap = overlap_of(given)
    if catch_up == "all" and overlap in ("skip", "cancel"):
        raise UsageError(
            f"catch_up='all' starts each instant that was missed, and overlap={overlap!r} starts one of several at "
            "most: give overlap='queue', one after the other, or overlap='allow', all at once"
        )
    return overlap
