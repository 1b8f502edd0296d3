"""A durable sleep: the time to wake is recorded, so a restart does not begin the wait anew."""

from __future__ import annotations

from collections.abc import Sequence

from ..._entries import StepRecorded
from ...errors import SerializationError
from ..flow import AwaitTime, CallCancelled, Flow, Now, Record, StayOpen
from ..run import Run
from ..several import Limit, earliest
from .turn import catch_up, log_cancel, log_turn
from .value import NO_ARGUMENTS


def sleep(
    run: Run,
    key: str,
    *,
    seconds: float | None = None,
    until: float | None = None,
    limits: Sequence[Limit] = (),
) -> Flow[Limit | None]:
    """Wait `seconds`, or until the time `until` (seconds since the epoch). The answer is the limit that comes first."""
    run.check_alive()
    limit = earliest(limits)
    if limit is not None and limit.is_over:
        return limit
    try:
        due_at = yield from time_due(run, key, "sleep" if until is None else "sleep_until", seconds, until)
        if run.order.was_cancelled(key):
            yield StayOpen(key)
        if limit is not None and limit.due_at < due_at:
            yield AwaitTime(limit.due_at)
            yield from log_turn(run, limit.key, limit.due_at)
            limit.is_over = True
            return limit
        yield AwaitTime(due_at)
        yield from log_turn(run, key, due_at)
    except CallCancelled:
        yield from log_cancel(run, key)
        raise
    return None


def time_due(run: Run, key: str, name: str, seconds: float | None, until: float | None = None) -> Flow[float]:
    """The recorded time of this call, or the one that is recorded now."""
    recorded = run.take(key, "sleep", name, NO_ARGUMENTS)
    if recorded is not None:
        return run.read(key, lambda: time_of(run.serializer.load(recorded.outcome)))
    if run.is_behind:
        yield from catch_up(run, key, f"a {name}")
    return (yield from note_time(run, key, name, seconds, until))


def note_time(run: Run, key: str, name: str, seconds: float | None, until: float | None) -> Flow[float]:
    """Record the time to wake."""
    now: float = yield Now()
    due_at = now + (seconds or 0.0) if until is None else until
    stored, _ = run.serializer.accept(due_at, what="the time to wake")
    yield Record(
        StepRecorded(run.run_id, run.claim, run.next_entry_id(), key, "sleep", name, NO_ARGUMENTS, False, stored)
    )
    return due_at


def time_of(recorded: object) -> float:
    """The recorded time to wake; a row may hold anything."""
    if not isinstance(recorded, float):
        raise SerializationError(f"it is no time but a {type(recorded).__name__}")
    return recorded
