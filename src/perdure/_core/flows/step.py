"""A step: run the body, record its outcome, and never run it again once that is recorded."""

from __future__ import annotations

from typing import Any

from ..._entries import StepRecorded, Stored
from ...errors import SerializationError
from ..flow import CallCancelled, Flow, Outcome, Record, StayOpen, Turn
from ..run import Run
from ..step_call import StepCall
from ..tracebacks import forget_frames
from .attempts import run_body
from .turn import NO_TURN, log_cancel, turn_now


def run_step(call: StepCall) -> Flow[Any]:
    """Return the step's recorded outcome, or run the body and record it."""
    run, key, definition = call.run, call.key, call.definition
    run.check_alive()
    try:
        if run.order.was_cancelled(key):
            yield StayOpen(key)
        recorded = run.take(key, "step", definition.name, call.fingerprint, call.preview)
        if recorded is not None:
            if not call.is_instant and turn_now(run, key) is None:
                yield Turn(key)
            return unwrap(run, key, recorded.outcome, is_error=recorded.is_error)
        outcome, attempts, started_at = yield from run_body(call)
        stored, result = store_outcome(run, outcome, definition.what_it_gives)
        position, _ = NO_TURN if call.is_instant else turn_now(run, key) or (yield Turn(key))
    except CallCancelled:
        yield from log_cancel(run, key)
        raise
    yield Record(
        StepRecorded(
            run.run_id,
            run.claim,
            run.next_entry_id(),
            key,
            "step",
            definition.name,
            call.fingerprint,
            result.error is not None,
            stored,
            position,
            attempts,
            started_at,
            call.preview,
        )
    )
    if result.error is not None:
        raise result.error
    return result.value


def store_outcome(run: Run, outcome: Outcome, what: str) -> tuple[Stored, Outcome]:
    """The outcome as it is stored, and as the run's code sees it: both now and at every replay."""
    error = outcome.error
    if error is None:
        try:
            stored, value = run.serializer.accept(outcome.value, what=what)
        except SerializationError as refused:
            error = refused
        else:
            return stored, outcome if value is outcome.value else Outcome(value)
    forget_frames(error)
    stored = run.serializer.dump_error(error)
    return stored, Outcome(error=run.serializer.load_error(stored).with_traceback(error.__traceback__))


def unwrap(run: Run, key: str, stored: Stored, *, is_error: bool) -> Any:
    """The recorded value, or the recorded error raised."""
    if is_error:
        raise run.read(key, lambda: run.serializer.load_error(stored))
    return run.read(key, lambda: run.serializer.load(stored))
