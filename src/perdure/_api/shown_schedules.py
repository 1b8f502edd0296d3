"""Schedules as they are shown to people and programs: values that were read once. Times are in UTC."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ..typing import CatchUp, Overlap, RunId
from .shown_runs import maybe

if TYPE_CHECKING:
    from ..stores.protocol import ScheduleRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSummary:
    """A schedule, as `perdure.schedules.list` gives it."""

    name: str
    function: str
    """The workflow or step that it starts."""
    queue: str | None
    """None: its runs are started, not submitted to a queue."""
    cron: str | None
    timezone: str | None
    every_seconds: float | None
    at: datetime | None
    """One of `cron` (in `timezone`, else UTC), `every_seconds` and `at` says when it comes."""
    jitter_seconds: float
    overlap: Overlap
    catch_up: CatchUp
    arguments: str
    """As they are stored."""
    is_declared: bool
    """Whether the program declares it, with `@schedule`."""
    paused_at: datetime | None
    next_at: datetime | None
    """When it starts a run next; None: never again."""
    last_at: datetime | None
    """The last instant that it has started a run for."""
    last_run_id: RunId | None
    skipped_at: datetime | None
    """The last instant that was left out since a run had not ended."""
    trouble: str | None
    """What will keep its runs from being executed, as far as the database knows."""


def schedule_summary(row: ScheduleRow, names: Collection[str] | None) -> ScheduleSummary:
    """`names`: of the functions that workers know; None where no worker has told."""
    is_unknown = names is not None and row.function not in names
    return ScheduleSummary(
        name=row.name,
        function=row.function,
        queue=row.queue or None,
        cron=row.cron,
        timezone=row.timezone,
        every_seconds=row.every_seconds,
        at=maybe(row.once_at),
        jitter_seconds=row.jitter_seconds,
        overlap=row.overlap,
        catch_up=row.catch_up,
        arguments=row.input.text,
        is_declared=row.declared is not None,
        paused_at=maybe(row.paused_at),
        next_at=None if row.paused_at is not None else maybe(row.next_at),
        last_at=maybe(row.last_instant),
        last_run_id=row.last_run_id,
        skipped_at=maybe(row.skipped_at),
        trouble=f"no worker that is there now knows the function {row.function}" if is_unknown else None,
    )
