"""A step: run the body, record its outcome, and never run it again once that is recorded."""

from __future__ import annotations

from typing import Any

from ..._entries import StepRecorded, Stored
from ...errors import PerdureError, SerializationError
from ..flow import Attempt, CallCancelled, Chance, Flow, Now, Outcome, Pause, Record, Settle, StayOpen, Turn
from ..run import Run
from ..step_call import StepCall
from .turn import NO_TURN, catch_up, log_cancel


def run_step(call: StepCall) -> Flow[Any]:
    """Return the step's recorded outcome, or run the body and record it."""
    run, key, definition = call.run, call.key, call.definition
    run.check_alive()
    try:
        if run.order.was_cancelled(key):
            yield StayOpen(key)
        recorded = run.take(key, "step", definition.name, call.fingerprint)
        if recorded is not None:
            if not call.is_instant:
                yield Turn(key)
            return unwrap(run, key, recorded.outcome, is_error=recorded.is_error)
        if run.is_behind:
            yield from catch_up(run, key, f"step {definition.name}", is_instant=call.is_instant)
        if definition.at_most_once:
            yield from announce(call, "then handle this error in the workflow")
        started_at: float = yield Settle()  # what any branch of the run has seen is committed
        outcome: Outcome = yield Attempt(call, 1)
        run.check_not_over()
        outcome, attempts = (outcome, 1) if outcome.error is None else (yield from retry(call, outcome, started_at))
        stored, result = store_outcome(run, outcome, definition.what_it_gives)
        position, _ = NO_TURN if call.is_instant else (yield Turn(key))
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
        )
    )
    if result.error is not None:
        raise result.error
    return result.value


def retry(call: StepCall, outcome: Outcome, began_at: float) -> Flow[tuple[Outcome, int]]:
    """After the first attempt, which began then: run the body again where the retry policy says so. The last outcome,
    and how often the body ran.
    """
    policy, number = call.definition.retry, 1
    while outcome.error is not None:
        chance = yield Chance()
        elapsed = 0.0 if policy.within_seconds is None else (yield Now()) - began_at
        seconds = policy.pause_seconds(number, outcome.error, chance, elapsed)
        if seconds is None:
            break
        call.run.check_alive()
        yield Pause(seconds)
        yield Settle()
        number += 1
        outcome = yield Attempt(call, number)
        call.run.check_not_over()
    return outcome, number


def announce(call: StepCall, mend: str) -> Flow[None]:
    """At most once: say that the body is about to run, so that no later claim runs it again. Raises `PerdureError`,
    with what to do, where an earlier one has said so.
    """
    run, mark = call.run, call.key + "?"
    if run.checkpoints.pop(mark, None) is not None:
        raise PerdureError(
            f"step {call.definition.name} of run {run.run_id} may run at most once, and the process ended while it "
            f"ran: whether it took effect is not known. Find out, {mend}."
        )
    nothing, _ = run.serializer.accept(None, what="a mark")
    yield Record(
        StepRecorded(
            run.run_id,
            run.claim,
            run.next_entry_id(),
            mark,
            "value",
            call.definition.name,
            call.fingerprint,
            False,
            nothing,
        )
    )


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
    stored = run.serializer.dump_error(error)
    return stored, Outcome(error=run.serializer.load_error(stored).with_traceback(error.__traceback__))


def unwrap(run: Run, key: str, stored: Stored, *, is_error: bool) -> Any:
    """The recorded value, or the recorded error raised."""
    if is_error:
        raise run.read(key, lambda: run.serializer.load_error(stored))
    return run.read(key, lambda: run.serializer.load(stored))
