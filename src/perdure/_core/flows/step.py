"""A step: run the body, record its outcome, and never run it again once that is recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ..._entries import Checkpoint, StepRecorded, Stored
from ...errors import RunInterrupted, SerializationError
from ..carried import CarriedStopError
from ..flow import CallCancelled, Compute, Flow, Outcome, Record, StayOpen, Turn
from ..run import Run
from ..serialization import LONG_TEXT, is_heavy
from ..step_call import StepCall
from ..tracebacks import forget_frames
from .attempts import run_body
from .saves import forget_saved
from .turn import catch_up, log_cancel, log_turn, reached


def run_step(call: StepCall) -> Flow[Any]:
    """Return the step's recorded outcome, or run the body and record it."""
    run, key, definition = call.run, call.key, call.definition
    run.check_alive()
    try:
        for limit in call.limits:
            if run.order.is_recorded(limit.key) and run.order.rank(limit.key) < run.order.rank(key):
                yield from reached(run, limit)  # it ended a wait of this call
        if run.order.was_cancelled(key):
            run.checkpoints.pop(key, None)  # its own transaction may have been committed all the same
            yield StayOpen(key)
        recorded = run.take(key, "step", definition.name, call.fingerprint, call.preview, call.compared)
        if recorded is not None:
            return (yield from hand_over(call, recorded))
        if run.is_behind:
            yield from catch_up(run, key, f"step {definition.name}", is_instant=call.is_instant)
        outcome, attempts, started_at = yield from run_body(call)
        if key in run.transacted:  # with its body's own commit; its turn, which that could not know, goes to the log
            if not call.is_instant:
                yield from log_turn(run, key)
            return run.transacted.pop(key).value
        store = partial(store_outcome, run, outcome, definition.what_it_gives)
        stored, result = (yield Compute(store)) if is_heavy(outcome.value) else store()
        position = None if call.is_instant else (yield from place_of(call))
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
        ),
        may_wait=definition.is_pure,
    )
    if run.saves:
        yield from forget_saved(run, key)
    return unwrap(result.value if result.error is None else result.error, is_error=result.error is not None)


def place_of(call: StepCall) -> Flow[int | None]:
    """The place of its outcome among the others; None where the run is let go of before it is handed over. It is
    recorded all the same, and gets its place when the next claim hands it over.
    """
    try:
        position, _ = yield Turn(call.key)
    except RunInterrupted:
        call.run.check_not_over()
        return None
    return position  # type: ignore[no-any-return]  # as the host says


def hand_over(call: StepCall, recorded: Checkpoint) -> Flow[Any]:
    """What an earlier claim has recorded, when it is its turn."""
    run, key = call.run, call.key
    what = f"step {call.definition.name}"
    give = yield from reading(run, key, recorded.outcome, is_error=recorded.is_error, what=what)
    if run.saves:
        yield from forget_saved(run, key)
    if recorded.position is not None:
        yield Turn(key)
    elif not call.is_instant:
        yield from log_turn(run, key)
    return give()


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
    loaded = run.serializer.load_error(stored)
    return stored, Outcome(error=BaseException.with_traceback(loaded, error.__traceback__))


def reading(run: Run, key: str, stored: Stored, *, is_error: bool, what: str = "") -> Flow[Callable[[], Any]]:
    """What gives the recorded value, or raises the recorded error, when it is the call's turn. A long text is read
    before that, beside the event loop. `what` the call is, for people.
    """
    load: Callable[[Stored], Any] = run.serializer.load_error if is_error else run.serializer.load
    if len(stored.text) > LONG_TEXT:
        with suppress(SerializationError):  # read again, it parks the run
            value = yield Compute(partial(load, stored))
            return partial(unwrap, value, is_error=is_error)
    return lambda: unwrap(run.read(key, lambda: load(stored), what=what), is_error=is_error)


def unwrap(value: Any, *, is_error: bool) -> Any:
    """The recorded value, or the recorded error raised."""
    if is_error:
        raise CarriedStopError(value) if isinstance(value, StopIteration) else value
    return value
