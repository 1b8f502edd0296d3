"""Schedules as rows, and what may be done with them. When they come is not known here.

Whoever changes a row names the version that it has seen; where that is another one by now nothing is changed, and it
looks again. Times are seconds since the epoch, by the database's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .._entries import RunCreated, Stored
from ..typing import CatchUp, Overlap, RunId, RunKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """One schedule. `version` 0: it is not there yet."""

    name: str
    function: str
    kind: RunKind
    queue: str
    priority: int
    max_attempts: int
    fingerprint: str
    input: Stored
    cron: str | None
    timezone: str | None
    every_seconds: float | None
    once_at: float | None
    jitter_seconds: float
    overlap: Overlap
    catch_up: CatchUp
    declared: str | None = None
    paused_at: float | None = None
    next_instant: float | None = None
    next_at: float | None = None
    last_instant: float | None = None
    last_run_id: RunId | None = None
    skipped_at: float | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """One that is to be looked at: `is_running`, whether the run that it started last has not ended; the time `now`."""

    row: ScheduleRow
    is_running: bool
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What becomes of a schedule, as it was seen."""

    name: str
    version: int
    runs: Sequence[RunCreated]
    cancels: RunId | None
    last_instant: float | None
    skipped_at: float | None
    next_instant: float | None
    next_at: float | None


class Schedules(Protocol):
    """Those of a database."""

    def now(self) -> float:
        """The time by the database's clock."""

    def all(self) -> list[ScheduleRow]:
        """All of them, by name."""

    def get(self, name: str) -> ScheduleRow | None:
        """One, or None."""

    def due(self, most: int) -> list[DueSchedule]:
        """Those whose time has come, that are not paused, and that do not wait for a run's end; at most so many."""

    def write(self, row: ScheduleRow) -> bool:
        """Put the row there, under the next version; False, and nothing is changed, where it has another version."""

    def delete(self, name: str) -> bool:
        """Remove it; False where there is none. Its runs stay."""

    def fire(self, worker_id: str, firing: Firing) -> bool:
        """Rule 18: the fence, the schedule's step forward, its runs (of which some may be there already) and the older
        run's cancel, in one transaction; False, and nothing is changed, where it is paused or has another version.
        """


def row_of(columns: Sequence[Any]) -> ScheduleRow:
    """As the named queries give it."""
    before, (codec, body), after = columns[:7], columns[7:9], columns[9:24]
    return ScheduleRow(
        **dict(zip(ScheduleRow.__dataclass_fields__, (*before, Stored(codec, body), *after), strict=True))
    )


def parameters_of(row: ScheduleRow) -> dict[str, object]:
    """As the named queries take it."""
    values: dict[str, object] = {name: getattr(row, name) for name in ScheduleRow.__dataclass_fields__}
    values |= {"codec": row.input.codec, "body": row.input.text}
    del values["input"]
    return values


def step_of(firing: Firing) -> dict[str, object]:
    """What a firing changes of the row, as the named query takes it."""
    return {
        "name": firing.name,
        "version": firing.version,
        "last_instant": firing.last_instant,
        "last_run_id": firing.runs[-1].run_id if firing.runs else None,
        "skipped_at": firing.skipped_at,
        "next_instant": firing.next_instant,
        "next_at": firing.next_at,
    }
