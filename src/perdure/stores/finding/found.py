"""What is found: a run as it is listed, and all that is recorded of one. Times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass

from ..._entries import HookRow, Stored, Wait
from ...typing import CheckpointKind, RunId, RunKind, RunState, Stopped


@dataclass(slots=True, frozen=True)
class FoundRun:
    """A run, as it is listed. `seq` numbers runs in the order in which they were made."""

    seq: int
    run_id: RunId
    kind: RunKind
    name: str
    queue: str
    state: RunState
    priority: int
    attempts: int
    max_attempts: int
    created_at: float
    due_at: float | None
    started_at: float | None
    finished_at: float | None
    parent_id: RunId | None
    worker_id: str | None
    stopped: Stopped | None
    reason: str | None
    deadline_at: float | None


@dataclass(slots=True, frozen=True)
class Page:
    """Some of the runs that were asked for, the newest first. `cursor`: where the next page begins; None at the end.
    A page may be empty and have a cursor: so many runs were looked at, and the next page looks at more.
    """

    runs: list[FoundRun]
    cursor: str | None


@dataclass(slots=True, frozen=True)
class StepRow:
    """A checkpoint; of its texts the beginning."""

    key: str
    kind: CheckpointKind
    name: str
    is_error: bool
    attempts: int
    started_at: float | None
    recorded_at: float
    arguments: str | None
    outcome: Stored


@dataclass(slots=True, frozen=True)
class MessageRow:
    """Something that the run was told."""

    kind: str
    sent_at: float
    consumed_at: float | None


@dataclass(slots=True, frozen=True)
class ProgressRow:
    """What the body of a step that has no outcome has last said of how far it has come."""

    run_id: RunId
    key: str
    name: str
    attempt: int
    done: float
    total: float | None
    note: str | None
    at: float


@dataclass(slots=True, frozen=True)
class RunRecord:
    """One run, with all that is recorded of it."""

    run: FoundRun
    input: Stored | None
    output: Stored | None
    waits_for: list[Wait]
    steps: list[StepRow]
    children: list[FoundRun]
    messages: list[MessageRow]
    attributes: dict[str, str]
    hooks: list[HookRow]
    progress: list[ProgressRow]


@dataclass(slots=True, frozen=True)
class WorkerSeen:
    """A worker; `silent_seconds`: so long ago it last showed that it lives."""

    worker_id: str
    hostname: str
    pid: int
    joined_at: float
    silent_seconds: float
    lease_seconds: float
    held: int
    queues: list[str]
    version: str | None


@dataclass(slots=True, frozen=True)
class QueueSeen:
    """A queue that has something to do; of `ready` ten thousand at most are counted."""

    name: str
    ready: int
    waiting_since: float | None
    held: int


@dataclass(slots=True, frozen=True)
class StuckSeen:
    """Runs of a function that do not go on; of so many the first, with one of the reasons."""

    name: str
    count: int
    reason: str | None
