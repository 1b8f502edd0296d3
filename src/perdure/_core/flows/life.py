"""The life of a claimed run, from its stored input to its recorded end."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from ..._entries import RunParked, RunReleased, Stored
from ...errors import RunInterrupted, SerializationError, StoreUnavailableError, UnsupportedStoreError
from ..definitions import Definition
from ..flow import BeginReplay, Commit, Compute, Execute, Flow, LoadHistory, Outcome, Record
from ..interruption import GOES_BACK, MAY_END, MAY_END_CANCELLED
from ..run import Run
from ..serialization import LONG_TEXT, is_heavy
from ..step_call import StepCall
from .attempts import run_body
from .renewal import ContinuedAsNew, renew
from .step import store_outcome
from .undo import undoer_of


def live(run: Run, definition: Definition, stored: Stored, *, is_fresh: bool) -> Flow[Outcome | None]:
    """Execute the run and record its end; a run that cannot go on is parked with the reason.

    Returns how its code ended, if it was executed at all.
    """
    if not is_fresh:
        try:
            run.recall((yield LoadHistory()))
        except (StoreUnavailableError, UnsupportedStoreError):  # not for what its rows say
            raise
        except Exception as error:  # rows may say anything: this run waits for people, and no other
            yield from park_for_mend(run, f"its history cannot be read: {describe(error)}")
            return None
    if run.is_cancelled:
        yield Commit(run.finished("cancelled"))
        return None
    if run.incarnation and run.undos:  # who was to undo what is kept was of its former life
        yield Record(undoer_of(run))
        run.has_undoer = True
    try:
        load = partial(definition.load_arguments, run.serializer, stored)
        args, kwargs = (yield Compute(load)) if len(stored.text) > LONG_TEXT else load()
        definition.bind(args, kwargs)
    except Exception as error:  # as above
        yield from park_for_mend(
            run,
            f"its arguments cannot be read, or do not fit {run.name}: {describe(error)}. Make the function take them "
            "and start its worker anew, or cancel the run and submit another",
        )
        return None
    if run.is_behind:
        yield BeginReplay()
    if run.kind == "step":
        again = partial(definition.load_arguments, run.serializer, stored)
        outcome = yield from run_alone(StepCall(run, definition, "", args, kwargs, "", again=again))
    else:
        outcome = yield Execute(definition.function, args, kwargs)
    yield from end(run, outcome, definition.what_it_gives)
    return outcome


def run_alone(call: StepCall) -> Flow[Outcome]:
    """A step that is a run by itself: its outcome is the run's, so there is no checkpoint to write. But one that its
    body has written in its own transaction says what the outcome is.
    """
    run = call.run
    try:
        recorded = run.take(call.key, "step", run.name, call.fingerprint) if run.has_recorded else None
        if recorded is not None:
            return Outcome(run.read(call.key, lambda: run.serializer.load(recorded.outcome)))
        outcome, _, _ = yield from run_body(call)
    except RunInterrupted as error:  # cancelled or let go of, between two attempts perhaps: `end` knows what follows
        return Outcome(error=error)
    return outcome


def end(run: Run, outcome: Outcome, what: str) -> Flow[None]:
    """Turn the outcome of the run's function into the run's end; `what` it is, for errors."""
    is_whole = outcome.error is None or isinstance(outcome.error, ContinuedAsNew)
    if run.difference is None and run.interruption in MAY_END and is_whole and run.has_recorded:
        with suppress(RunInterrupted):  # it is kept as `run.difference`
            run.check_all_taken()
    if run.difference is not None:
        return  # its claim has ended already
    if run.is_cancelled and run.interruption in MAY_END_CANCELLED:
        yield Commit(run.finished("cancelled"))
    elif run.interruption not in MAY_END | GOES_BACK:
        return  # the claim has ended, or its owner ends it
    elif run.interruption == "paused" and is_to_be_released(run, outcome):
        yield Commit(RunParked(run.run_id, run.claim, stopped=run.stops_as, reason=run.stops_for))
    elif is_to_be_released(run, outcome):
        # Raised by its own code it would be raised again, for ever if that were free.
        reason = f"its code raised {type(outcome.error).__name__}, and no signal had come" if outcome.is_own else None
        yield Commit(RunReleased(run.run_id, run.claim, charged=outcome.is_own, reason=reason))
    elif isinstance(outcome.error, ContinuedAsNew):
        yield from renew(run, outcome.error.stored)
    elif isinstance(outcome.error, SystemExit):
        yield Commit(RunReleased(run.run_id, run.claim, charged=True, reason="its code called sys.exit"))
    else:
        store = partial(store_outcome, run, outcome, what)
        stored, result = (yield Compute(store)) if is_heavy(outcome.value) else store()
        yield Commit(run.finished("succeeded" if result.error is None else "failed", stored))


def is_to_be_released(run: Run, outcome: Outcome) -> bool:
    """Whether another process is to go on; not with a step by itself that came to its end during the shutdown."""
    if run.interruption in GOES_BACK:
        return run.kind == "workflow" or not (outcome.error is None or isinstance(outcome.error, Exception))
    return isinstance(outcome.error, (KeyboardInterrupt, GeneratorExit))


def describe(error: Exception) -> str:
    """The error, for people who have to mend a row."""
    return str(error) if isinstance(error, SerializationError) else f"{type(error).__name__}: {error}"


def park_for_mend(run: Run, reason: str) -> Flow[None]:
    """The run waits, readable for people, until the code or the data it needs is mended."""
    yield Commit(RunParked(run.run_id, run.claim, stopped="mend", reason=reason, is_refused=True))
