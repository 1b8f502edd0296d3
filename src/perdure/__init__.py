"""Durable execution that lives inside your Python app.

Annotate workflows and steps; if the process dies, the work goes on where it stopped. No orchestration server: a SQLite
file by default, your Postgres when there are many machines.

    from perdure import step, workflow

The promise: a step's body runs at least once (at most once on request); its outcome is recorded exactly once; a
takeover repeats at most the bodies that were running, or had ended uncommitted, at that moment: one per concurrent
branch.
"""

from __future__ import annotations

from . import forking as forking  # its hooks, before any fork
from ._core.retry import Retry
from ._core.serialization import Codec, JsonCodec, PickleCodec, ZlibCodec
from .app import Perdure, launch, running, shutdown
from .asgi import lifespan
from .decorators import step, workflow
from .errors import (
    ForkedError,
    LineageError,
    NondeterminismError,
    NotDurableError,
    PerdureError,
    RecordedError,
    RecordedObject,
    RunCancelledError,
    RunDeadError,
    RunExistsError,
    RunFailedError,
    RunInterrupted,
    RunNotFoundError,
    RunStuckError,
    SerializationError,
    StepInterruptedError,
    StepTimeoutError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
    UnsupportedStoreError,
    UsageError,
    WaitTimeoutError,
)
from .handle import Handle
from .limits import timeout
from .queue import Queue, astart, handle, start, with_options
from .several import Waited, as_completed, first, wait
from .steps import call
from .threads import threads
from .types import register
from .values import idempotency_key, now, random, sleep, sleep_until, uuid4
from .whereabouts import Current, current, where

__version__ = "0.1.0"

__all__ = [
    "Codec",
    "Current",
    "ForkedError",
    "Handle",
    "JsonCodec",
    "LineageError",
    "NondeterminismError",
    "NotDurableError",
    "Perdure",
    "PerdureError",
    "PickleCodec",
    "Queue",
    "RecordedError",
    "RecordedObject",
    "Retry",
    "RunCancelledError",
    "RunDeadError",
    "RunExistsError",
    "RunFailedError",
    "RunInterrupted",
    "RunNotFoundError",
    "RunStuckError",
    "SerializationError",
    "StepInterruptedError",
    "StepTimeoutError",
    "StoreError",
    "StoreRefusedError",
    "StoreUnavailableError",
    "UnsupportedStoreError",
    "UsageError",
    "WaitTimeoutError",
    "Waited",
    "ZlibCodec",
    "as_completed",
    "astart",
    "call",
    "current",
    "first",
    "handle",
    "idempotency_key",
    "launch",
    "lifespan",
    "now",
    "random",
    "register",
    "running",
    "shutdown",
    "sleep",
    "sleep_until",
    "start",
    "step",
    "threads",
    "timeout",
    "uuid4",
    "wait",
    "where",
    "with_options",
    "workflow",
]
