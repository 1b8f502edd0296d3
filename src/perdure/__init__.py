"""Durable execution that lives inside your Python app.

Annotate workflows and steps; if the process dies, the work goes on where it stopped. No orchestration server: a SQLite
file by default, your Postgres when there are many machines.

    from perdure import step, workflow

The promise: a step's body runs at least once (at most once on request); its outcome is recorded exactly once; a
takeover repeats at most the bodies that were running, or had ended uncommitted, at that moment: one per concurrent
branch.
"""

from __future__ import annotations

from ._api import forking as forking
from ._api.app import Perdure, launch, running, shutdown
from ._api.attributes import set_attributes
from ._api.client import Client
from ._api.continuing import continue_as_new
from ._api.decorators import step, workflow
from ._api.events import get_event, set_event
from ._api.explaining import Explanation
from ._api.gathering import gather
from ._api.handle import Handle
from ._api.hooks import Hook, hook, reject, resolve
from ._api.inspection import Runs, runs
from ._api.lifespan import lifespan
from ._api.limits import timeout
from ._api.logs import LogFilter, RunLogger, logger
from ._api.long_steps import progress, save, saved
from ._api.mapping import Mapped, map
from ._api.messages import Message, recv, send, send_many
from ._api.on_query import on_query
from ._api.on_update import finish_updates, on_update
from ._api.overview import Examination, QueueSummary, SharedLimits, StuckRuns, WorkerSummary
from ._api.patching import patched
from ._api.polling import wait_for
from ._api.queue import Queue, ahandle, astart, handle, start, with_options
from ._api.queues import Queues, queues
from ._api.recorded_values import idempotency_key, now, random, sleep, sleep_until, uuid4
from ._api.schedule_options import schedule
from ._api.schedules import Schedules, schedules
from ._api.several import Waited, as_completed, first, wait
from ._api.shown_runs import Affected, HookSummary, RunDetails, RunPage, RunSummary, Steered, StepProgress
from ._api.shown_schedules import ScheduleSummary
from ._api.steps import call
from ._api.stream_pages import StreamPage, StreamTail
from ._api.streams import Stream, StreamReader, stream
from ._api.threads import threads
from ._api.transactions import Transactions
from ._api.types import register
from ._api.undoing import undo
from ._api.whereabouts import Current, current, where
from ._core.policy import Policy
from ._core.reading import Chunk, Rewound
from ._core.retry import Retry
from ._core.serialization import Codec, JsonCodec, PickleCodec, ZlibCodec
from ._engine.listeners import Listener, RunFacts
from .errors import (
    DuplicateRunError,
    ForkedError,
    HookAnswerError,
    HookClosedError,
    HookError,
    HookNotFoundError,
    HookRejectedError,
    HookResolvedError,
    HookTakenError,
    LineageError,
    NondeterminismError,
    NotDurableError,
    PerdureError,
    QueryNotFoundError,
    RecordedError,
    RecordedObject,
    RunCancelledError,
    RunDeadError,
    RunEndedError,
    RunExistsError,
    RunFailedError,
    RunInterrupted,
    RunNotFoundError,
    RunStuckError,
    RunTimeoutError,
    ScheduleNotFoundError,
    SerializationError,
    SteeringError,
    StepCrashedError,
    StepInterruptedError,
    StepNotDoneError,
    StepTimeoutError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
    StreamRewoundError,
    TransactionConflictError,
    UndoFailedError,
    UnsupportedStoreError,
    UpdateRefusedError,
    UsageError,
    WaitTimeoutError,
)

__version__ = "0.1.0"

__all__ = [
    "Affected",
    "Chunk",
    "Client",
    "Codec",
    "Current",
    "DuplicateRunError",
    "Examination",
    "Explanation",
    "ForkedError",
    "Handle",
    "Hook",
    "HookAnswerError",
    "HookClosedError",
    "HookError",
    "HookNotFoundError",
    "HookRejectedError",
    "HookResolvedError",
    "HookSummary",
    "HookTakenError",
    "JsonCodec",
    "LineageError",
    "Listener",
    "LogFilter",
    "Mapped",
    "Message",
    "NondeterminismError",
    "NotDurableError",
    "Perdure",
    "PerdureError",
    "PickleCodec",
    "Policy",
    "QueryNotFoundError",
    "Queue",
    "QueueSummary",
    "Queues",
    "RecordedError",
    "RecordedObject",
    "Retry",
    "Rewound",
    "RunCancelledError",
    "RunDeadError",
    "RunDetails",
    "RunEndedError",
    "RunExistsError",
    "RunFacts",
    "RunFailedError",
    "RunInterrupted",
    "RunLogger",
    "RunNotFoundError",
    "RunPage",
    "RunStuckError",
    "RunSummary",
    "RunTimeoutError",
    "Runs",
    "ScheduleNotFoundError",
    "ScheduleSummary",
    "Schedules",
    "SerializationError",
    "SharedLimits",
    "Steered",
    "SteeringError",
    "StepCrashedError",
    "StepInterruptedError",
    "StepNotDoneError",
    "StepProgress",
    "StepTimeoutError",
    "StoreError",
    "StoreRefusedError",
    "StoreUnavailableError",
    "Stream",
    "StreamPage",
    "StreamReader",
    "StreamRewoundError",
    "StreamTail",
    "StuckRuns",
    "TransactionConflictError",
    "Transactions",
    "UndoFailedError",
    "UnsupportedStoreError",
    "UpdateRefusedError",
    "UsageError",
    "WaitTimeoutError",
    "Waited",
    "WorkerSummary",
    "ZlibCodec",
    "ahandle",
    "as_completed",
    "astart",
    "call",
    "continue_as_new",
    "current",
    "finish_updates",
    "first",
    "gather",
    "get_event",
    "handle",
    "hook",
    "idempotency_key",
    "launch",
    "lifespan",
    "logger",
    "map",
    "now",
    "on_query",
    "on_update",
    "patched",
    "progress",
    "queues",
    "random",
    "recv",
    "register",
    "reject",
    "resolve",
    "running",
    "runs",
    "save",
    "saved",
    "schedule",
    "schedules",
    "send",
    "send_many",
    "set_attributes",
    "set_event",
    "shutdown",
    "sleep",
    "sleep_until",
    "start",
    "step",
    "stream",
    "threads",
    "timeout",
    "undo",
    "uuid4",
    "wait",
    "wait_for",
    "where",
    "with_options",
    "workflow",
]
