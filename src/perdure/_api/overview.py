"""What there is beside runs, as it is shown: workers, queues, and what keeps runs from going on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ..stores.finding.found import QueueSeen
from ..stores.limits import Overflow, QueueRow
from .queue_limits import Rate
from .shown_runs import maybe, moment
from .shown_schedules import ScheduleSummary, schedule_summary

if TYPE_CHECKING:
    from ..stores.finding import Finder
    from ..stores.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSummary:
    """A process that works, as the database knows it."""

    worker_id: str
    hostname: str
    pid: int
    joined_at: datetime
    silent_seconds: float
    """So long ago it last showed that it lives, by the database's clock."""
    lease_seconds: float
    held: int
    """How many runs it holds."""
    queues: Sequence[str]
    """Those that it serves; an empty name stands for what is started outside queues."""
    version: str | None
    """Of the program's code, where it has named one: `launch(version=...)`."""

    @property
    def is_late(self) -> bool:
        """Whether it has been silent for longer than its lease: others will take its runs."""
        return self.silent_seconds > self.lease_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLimits:
    """What was declared or set for a queue, as the database has it: None where there is no limit. See `Queue`."""

    worker_concurrency: int | None
    """Set from outside for every process; None: each has its own."""
    concurrency: int | None
    rate: Rate | None
    key_concurrency: int | None
    key_rate: Rate | None
    on_overflow: Overflow
    paused_at: datetime | None
    """Since when nothing new begins; None: it is not paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSummary:
    """A queue that has something to do, or limits."""

    name: str | None
    """None: the runs that were started, not submitted."""
    ready: int
    """How many runs wait for a worker; 10,000 at most are counted."""
    waiting_since: datetime | None
    """When the run was made that is next."""
    held: int
    limits: SharedLimits | None = None
    """None: nothing was declared or set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckRuns:
    """Runs of a function that do not go on by themselves, with one of the reasons."""

    name: str
    count: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What a database says that bears on its runs, as `Client.examine` gives it."""

    facts: Mapping[str, str]
    """The server or library, its clock, its connections and transactions, as far as there are any."""
    workers: Sequence[WorkerSummary]
    queues: Sequence[QueueSummary]
    stuck: Sequence[StuckRuns]
    """What waits for a mend."""
    unknown: Sequence[StuckRuns]
    """What is ready, and of which no worker that has looked knows the function."""
    schedules: Sequence[ScheduleSummary]
    paused_functions: Mapping[str, datetime]
    """The functions whose runs do not begin, and since when."""


def workers_of(finder: Finder) -> list[WorkerSummary]:
    """Who works."""
    return [
        WorkerSummary(
            worker_id=seen.worker_id,
            hostname=seen.hostname,
            pid=seen.pid,
            joined_at=moment(seen.joined_at),
            silent_seconds=seen.silent_seconds,
            lease_seconds=seen.lease_seconds,
            held=seen.held,
            queues=seen.queues,
            version=named_version(seen.version),
        )
        for seen in finder.workers()
    ]


def named_version(version: str | None) -> str | None:
    """The version of the code, where the program has named one."""
    return None if version is None or version.startswith("~") else version


def queues_of(store: Store) -> list[QueueSummary]:
    """Which queues have something to do, or limits."""
    limits = {row.name: limits_of(row) for row in store.limits.rows()}
    seen = {one.name: one for one in store.finder.queues()}
    idle = QueueSeen("", 0, None, 0)
    return [
        QueueSummary(
            name=name or None,
            ready=seen.get(name, idle).ready,
            waiting_since=maybe(seen.get(name, idle).waiting_since),
            held=seen.get(name, idle).held,
            limits=limits.get(name),
        )
        for name in sorted({*seen, *limits})
    ]


def limits_of(row: QueueRow) -> SharedLimits:
    """A row, as it is shown."""
    return SharedLimits(
        worker_concurrency=row.worker_concurrency,
        concurrency=row.concurrency,
        rate=rate_of(row.rate, row.period_seconds),
        key_concurrency=row.key_concurrency,
        key_rate=rate_of(row.key_rate, row.key_period_seconds),
        on_overflow=row.on_overflow,
        paused_at=maybe(row.paused_at),
    )


def rate_of(count: int | None, seconds: float | None) -> Rate | None:
    """So many in so many seconds."""
    return None if count is None or seconds is None else (count, seconds)


def names_known(store: Store) -> set[str] | None:
    """The functions that workers know; None where none has told."""
    return {name for worker in store.workers.all() for name in worker.serves.names} or None


def paused_functions_of(store: Store) -> dict[str, datetime]:
    """The functions whose runs do not begin, and since when."""
    return {name: moment(paused_at) for name, paused_at in store.limits.paused()}


def examination_of(store: Store) -> Examination:
    """All of it."""
    finder, names = store.finder, names_known(store)
    return Examination(
        facts=store.health(),
        workers=workers_of(finder),
        queues=queues_of(store),
        stuck=[StuckRuns(name=seen.name, count=seen.count, reason=seen.reason) for seen in finder.stuck()],
        unknown=[StuckRuns(name=seen.name, count=seen.count, reason=seen.reason) for seen in finder.unknown()],
        schedules=[schedule_summary(row, names) for row in store.schedules.all()],
        paused_functions=paused_functions_of(store),
    )
