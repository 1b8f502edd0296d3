"""Runs as they are shown to people and programs that look for them: values that were read once.

Times are in UTC. Of values there is the text as it is stored, since the process that looks may not know their types.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from .._core.marks import call_of_mark_key, told
from .._entries import EndedRun, HookRow, Stored
from ..errors import RecordedError, SerializationError
from ..typing import TERMINAL, CheckpointKind, RunId, RunKind, RunState, Stopped

if TYPE_CHECKING:
    from .._core.serialization import Serializer
    from .._steering import AuditRow
    from ..stores.finding import FoundRun, ProgressRow, RunRecord, StepRow

LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run, as `perdure.runs.list` gives it."""

    run_id: RunId
    name: str
    """The workflow or step that it executes."""
    kind: RunKind
    queue: str | None
    """None of a run that was started, not submitted."""
    status: RunState
    priority: int
    attempts: int
    """How often it was claimed since it last recorded something."""
    max_attempts: int
    created_at: datetime
    due_at: datetime | None
    """When a delayed run may begin, or a sleeper wakes."""
    started_at: datetime | None
    finished_at: datetime | None
    parent_id: RunId | None
    worker_id: str | None
    """The worker that holds it."""
    needs_mend: bool
    """It is parked until somebody mends its code or data, for the `reason`."""
    stopped: Stopped | None
    """Why nothing that it waits for wakes it: `mend`, it was `paused`, or its `retries` are used up."""
    reason: str | None
    """Why it is as it is, where there is something to say."""
    deadline_at: datetime | None
    """When it is to be over, and is cancelled otherwise: `with_options(timeout=...)` or `deadline=`."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs, the newest first; iterates over them.

    `cursor` is what the next page is asked for with; None at the end. A page may have a cursor and no runs: it looked
    at so many and found none, and the next one looks on.
    """

    runs: Sequence[RunSummary]
    cursor: str | None

    def __iter__(self) -> Iterator[RunSummary]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierAttempt:
    """An attempt of a step that failed and was followed by another, as far as that is recorded."""

    number: int
    error: str | None
    next_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDetails:
    """Something that a run has recorded."""

    key: str
    """Its place in the run's program: the branches, then the nth durable call in this branch."""
    kind: CheckpointKind
    name: str
    is_error: bool
    attempts: int
    started_at: datetime | None
    recorded_at: datetime | None
    """None of a step that is being tried again: only its earlier attempts are recorded."""
    arguments: str | None
    outcome: str
    """The beginning of what is stored; of an error its type and message."""
    earlier_attempts: Sequence[EarlierAttempt] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """How far the body of a step has come that has no outcome yet; see `progress`."""

    run_id: RunId
    key: str
    """That of the step's call; empty of a step that is a run by itself."""
    name: str
    attempt: int
    done: float
    total: float | None
    note: str | None
    at: datetime
    """When it was written, at most a second after it was said."""

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where nobody knows how much there is."""
        return None if not self.total else max(0.0, min(1.0, self.done / self.total))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMessage:
    """Something that a run was told."""

    kind: str
    sent_at: datetime
    consumed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSummary:
    """A hook that a run has opened. Who knows its `token` can answer it."""

    token: str
    run_id: RunId
    state: Literal["open", "resolved", "timed out", "ended"]
    """`ended`: its run has, without an answer."""
    type: str
    """Of the answer."""
    schema: Mapping[str, Any] | None
    """The same as JSON Schema, where there is one."""
    question: str | None
    """What people are asked."""
    opened_at: datetime
    due_at: datetime | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """One run, with what is recorded of it, as `perdure.runs.get` gives it."""

    run: RunSummary
    input: str | None
    """The arguments as they are stored: `[positional…]`, or with the named ones."""
    output: str | None
    error: str | None
    """Of a run that has failed: the error's type and message."""
    steps: Sequence[StepDetails]
    """In the order in which they were recorded."""
    children: Sequence[RunSummary]
    """The newest first."""
    messages: Sequence[RunMessage]
    waits_for: Sequence[RunId]
    """The runs that a parked run waits for, its own children aside."""
    waits_for_children: bool
    hooks: Sequence[HookSummary]
    """In the order in which they were opened."""
    attributes: Mapping[str, str]
    progress: Sequence[StepProgress]
    """Of the steps that are being executed and say so."""
    steered: Sequence[Steered] = ()
    """Who has paused it, started it anew, and the like; in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """Something that was done to a run from outside, as the audit has it."""

    at: datetime
    who: str
    action: str
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """What an operation on many runs has done, or with `dry_run` would have done. `run_ids` are the first thousand."""

    count: int
    run_ids: Sequence[RunId]
    dry_run: bool
    refused: Mapping[RunId, str] = field(default_factory=dict)
    """Those that were found and left as they were, with the reason; the first thousand."""


def summary_of(found: FoundRun) -> RunSummary:
    """A run, as it is shown."""
    return RunSummary(
        run_id=found.run_id,
        name=found.name,
        kind=found.kind,
        queue=found.queue or None,
        status=found.state,
        priority=found.priority,
        attempts=found.attempts,
        max_attempts=found.max_attempts,
        created_at=moment(found.created_at),
        due_at=maybe(found.due_at),
        started_at=maybe(found.started_at),
        finished_at=maybe(found.finished_at),
        parent_id=found.parent_id,
        worker_id=found.worker_id,
        needs_mend=found.stopped == "mend",
        stopped=found.stopped,
        reason=found.reason,
        deadline_at=maybe(found.deadline_at),
    )


def details_of(record: RunRecord, serializer: Serializer, audited: Sequence[AuditRow] = ()) -> RunDetails:
    """A run and its records, as they are shown."""
    run, output = record.run, record.output
    return RunDetails(
        run=summary_of(run),
        input=text_of(record.input),
        output=text_of(output) if run.state == "succeeded" else None,
        error=error_of(output, serializer) if run.state == "failed" and output is not None else None,
        steps=steps_of(record.steps, serializer),
        children=[summary_of(child) for child in record.children],
        messages=[
            RunMessage(kind=told.kind, sent_at=moment(told.sent_at), consumed_at=maybe(told.consumed_at))
            for told in record.messages
        ],
        waits_for=[wait.what for wait in record.waits_for if wait.kind == "run"],
        waits_for_children=any(wait.kind == "children" for wait in record.waits_for),
        hooks=[hook_summary(hook) for hook in record.hooks],
        attributes=record.attributes,
        progress=[progress_of(row) for row in record.progress],
        steered=[Steered(at=moment(row.at), who=row.who, action=row.action, detail=row.detail) for row in audited],
    )


def errors_of(ended: Iterable[EndedRun], serializer: Serializer) -> dict[RunId, str]:
    """What those have failed with that have, as it is shown."""
    failed = {run.run_id: run.output for run in ended if run.state == "failed"}
    return {run_id: error_of(output, serializer) for run_id, output in failed.items() if output is not None}


def progress_of(row: ProgressRow) -> StepProgress:
    """How far a step has come, as it is shown."""
    return StepProgress(
        run_id=row.run_id,
        key=row.key,
        name=row.name,
        attempt=row.attempt,
        done=row.done,
        total=row.total,
        note=row.note,
        at=moment(row.at),
    )


def steps_of(rows: Sequence[StepRow], serializer: Serializer) -> list[StepDetails]:
    """The outcomes, each with the attempts before it; then what has been tried and has no outcome so far."""
    tried: dict[str, list[tuple[StepRow, EarlierAttempt]]] = {}
    outcomes: list[StepRow] = []
    for row in rows:
        marked = call_of_mark_key(row.key, row.kind)
        if marked is None:
            outcomes.append(row)
        elif (attempt := attempt_of(row, serializer)) is not None:
            tried.setdefault(marked, []).append((row, attempt))
    steps = [
        StepDetails(
            key=row.key,
            kind=row.kind,
            name=row.name,
            is_error=row.is_error,
            attempts=row.attempts,
            started_at=maybe(row.started_at),
            recorded_at=moment(row.recorded_at),
            arguments=row.arguments,
            outcome=outcome_of(row, serializer),
            earlier_attempts=[attempt for _, attempt in tried.pop(row.key, ())],
        )
        for row in outcomes
    ]
    for key, marks in tried.items():
        attempts = [attempt for _, attempt in marks]
        steps.append(
            StepDetails(
                key=key,
                kind="step",
                name=marks[0][0].name,
                is_error=False,
                attempts=attempts[-1].number,
                started_at=None,
                recorded_at=None,
                arguments=None,
                outcome="",
                earlier_attempts=attempts,
            )
        )
    return steps


def outcome_of(row: StepRow, serializer: Serializer) -> str:
    """How the call has ended."""
    if not row.is_error:
        return text_of(row.outcome) or ""
    if row.kind == "recv" and row.outcome.text == "null":
        return "nothing came in time"
    return error_of(row.outcome, serializer)


def attempt_of(row: StepRow, serializer: Serializer) -> EarlierAttempt | None:
    """What a mark says of an attempt; None of another mark."""
    try:
        match serializer.load(row.outcome):
            case [int(number), float(), float(due_at), *said]:
                return EarlierAttempt(number=number, error=str(said[0]) if said else None, next_at=moment(due_at))
    except SerializationError:
        pass
    return None


def text_of(stored: Stored | None) -> str | None:
    """The text as it is stored, where that is meant for people."""
    if stored is None:
        return None
    return stored.text if stored.codec == "json" else f"({stored.codec}, {len(stored.text)} characters)"


def error_of(stored: Stored, serializer: Serializer) -> str:
    """An error's type and message, whether this process knows the type or not."""
    try:
        error = serializer.load_error(stored)
    except SerializationError as unreadable:
        return f"(cannot be read: {unreadable})"
    if isinstance(error, RecordedError):
        return str(error)[:LONGEST_ERROR]
    return told(error)


def hook_summary(hook: HookRow) -> HookSummary:
    """A hook, as it is shown."""
    state: Literal["open", "resolved", "timed out", "ended"] = "ended" if hook.state in TERMINAL else "open"
    if hook.resolved_at is not None:
        state = "resolved"
    elif hook.closed_at is not None:
        state = "timed out"
    return HookSummary(
        token=hook.token,
        run_id=hook.run_id,
        state=state,
        type=hook.shape,
        schema=None if hook.schema is None else json.loads(hook.schema),
        question=hook.question,
        opened_at=moment(hook.opened_at),
        due_at=maybe(hook.due_at),
        resolved_at=maybe(hook.resolved_at),
    )


def moment(seconds: float) -> datetime:
    """A time of the database. One that no `datetime` can say, such as a deadline years after the latest start, is the
    last or first that one can: a run must not be in the way of whoever looks at others.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError):
        return (datetime.max if seconds > 0 else datetime.min).replace(tzinfo=UTC)


def maybe(seconds: float | None) -> datetime | None:
    """The same, if there is one."""
    return None if seconds is None else moment(seconds)
