"""The attempts of one call: the first, and those that follow it, in all lives of its run.

What has been tried is recorded in a *mark* as soon as trying takes a tenth of a second: so a crash neither makes the
attempts count anew nor begins a long pause again, and attempts that follow each other at once cost no commit.
"""

from __future__ import annotations

from typing import Final, NoReturn

from msgspec.structs import replace

from ..._entries import Checkpoint, StepRecorded
from ...errors import RunInterrupted, StepInterruptedError, UsageError, WaitTimeoutError
from ..definitions import Definition
from ..flow import Attempt, AwaitTime, Begin, Chance, Flow, NoteRetry, Now, Outcome, Pause, Record, Settle
from ..marks import MARK, UNTRIED, told, tried_of
from ..reconciling import NOT_DONE
from ..several import Limit, earliest
from ..step_call import StepCall
from .stream import begin_anew
from .turn import reached
from .undo import announce_undo

UNRECORDED_SECONDS: Final = 0.1
"""A crash forgets at most the attempts of so long; what is recorded within a pause of that length costs no wait."""
IN_MEMORY_SECONDS: Final = 1.0
"""A longer pause gives the run's slot back, and the run may leave memory, as in a sleep."""


def run_body(call: StepCall) -> Flow[tuple[Outcome, int, float]]:
    """Run the body as often as its policy says. The last outcome, the number of attempts, when the first began."""
    tried = UNTRIED
    if call.definition.undo is not None and call.key:
        yield from announce_undo(call)
    if call.definition.at_most_once:
        known = yield from announce(call)
        if known is not None:
            return known
    elif (mark := call.run.take_mark(call.key, call.definition.name, call.fingerprint, call.compared)) is not None:
        tried = call.run.read(call.key, lambda: tried_of(call.run.serializer.load(mark.outcome)))
        limit = limit_before(call, tried.due_at)
        yield AwaitTime(tried.due_at if limit is None else limit.due_at)
        if limit is not None:
            yield from reached(call.run, limit)
            return Outcome(error=too_late(call, limit)), tried.failed, tried.began_at
    now: float = yield beginning(call)
    began_at, number = tried.began_at or now, tried.failed + 1
    outcome = yield from attempt(call, number)
    if outcome.error is not None:
        if call.waits_until is not None and isinstance(outcome.error, WaitTimeoutError):
            yield from reached(call.run, call.waits_until)
        if call.definition.at_most_once and outcome.is_cut_off:
            outcome = yield from ask_of_broken(call, outcome)
        outcome, number = yield from retry(call, outcome, number, began_at, tried.before)
    return outcome, number, began_at


def ask_of_broken(call: StepCall, outcome: Outcome) -> Flow[Outcome]:
    """At most once, and what ran the body broke: as if this process had ended. Where the body is said not to have
    taken effect, that something broke is the outcome.
    """
    definition = call.definition
    if definition.reconcile is None:
        error = interrupted(call)
        error.__cause__ = outcome.error
        return Outcome(error=error)
    told, _, _ = yield from run_body(replace(call, definition=definition.reconcile))
    return outcome if told.value is NOT_DONE else told


def retry(call: StepCall, outcome: Outcome, number: int, began_at: float, before: int = 0) -> Flow[tuple[Outcome, int]]:
    """After so many attempts, the first of which began then: run the body again where the policy says so, which counts
    those after the first `before`. The last outcome, and the number of attempts.
    """
    policy, recorded_at = call.definition.retry, began_at
    while outcome.error is not None and not call.has_failed_for_good:
        chance = yield Chance()
        now: float = yield Now()
        seconds = policy.pause_seconds(number - before, outcome.error, chance, now - began_at)
        if seconds is None:
            if policy.pauses_run(outcome.error):
                yield from ask_people(call, outcome.error, number, now)
            break
        call.run.check_alive()
        if call.is_instant:
            seconds = 0.0
        yield NoteRetry(call, number, outcome.error, seconds)
        due_at = now + seconds
        if due_at - recorded_at >= UNRECORDED_SECONDS:
            yield Record(mark_of(call, str(number), [number, began_at, due_at, told(outcome.error), before]))
            recorded_at = due_at
        limit = limit_before(call, due_at)
        if limit is not None:
            seconds, due_at = max(0.0, limit.due_at - now), limit.due_at
        yield AwaitTime(due_at) if seconds >= IN_MEMORY_SECONDS else Pause(seconds)
        if limit is not None:
            yield from reached(call.run, limit)
            return Outcome(error=too_late(call, limit, outcome.error)), number
        yield beginning(call)
        number += 1
        if call.again is not None:
            call.args, call.kwargs = call.again()
        outcome = yield from attempt(call, number)
    return outcome, number


def limit_before(call: StepCall, due_at: float) -> Limit | None:
    """The limit of a block around the call, where it ends the pause that would last until then."""
    limit = earliest(call.limits)
    return limit if limit is not None and (limit.is_over or limit.due_at < due_at) else None


def too_late(call: StepCall, limit: Limit, cause: BaseException | None = None) -> WaitTimeoutError:
    """The step's outcome: no further attempt may be waited for."""
    error = WaitTimeoutError(
        f"step {call.definition.name} has failed, and its next attempt was not due within the {limit.seconds:g} "
        "seconds of the block around it"
    )
    error.__cause__ = cause
    return error


def beginning(call: StepCall) -> Settle | Begin:
    """What comes before every attempt: what any branch of the run has seen is committed, unless the body is pure."""
    return Begin() if call.definition.is_pure else Settle()


def attempt(call: StepCall, number: int) -> Flow[Outcome]:
    """Run the body once."""
    if call.run.streams is not None:
        yield from begin_anew(call, number)
    call.attempt = number
    try:
        outcome = yield Attempt(call, number)
    finally:
        call.attempt = 0
    return ended(call, outcome)


def ask_people(call: StepCall, error: BaseException, number: int, now: float) -> Flow[NoReturn]:
    """No attempt is left: the run waits until somebody has mended what it is, and lets it go on."""
    run, name = call.run, call.definition.name
    yield Record(mark_of(call, str(number), [number, 0.0, now, told(error), number]))
    run.stops_as = "retries"
    run.stops_for = (
        f"step {name} of run {run.run_id} has failed {number} times, the last time with {told(error)}. Mend that, and "
        "resume the run"
    )
    if run.interrupt("paused"):
        run.host.interrupt(run)
    raise RunInterrupted(run.stops_for)


def ended(call: StepCall, outcome: Outcome) -> Outcome:
    """An attempt's outcome, where it may still be recorded."""
    recorded: Outcome | None = call.run.transacted.get(call.key)
    if recorded is not None:  # by its own transaction, whatever came of the attempt since
        return recorded
    call.run.check_not_over()
    return outcome if call.changes is None else check_bound(call, outcome)


def check_bound(call: StepCall, outcome: Outcome) -> Outcome:
    """What a method changes on its object is gone on replay: that is the outcome then, and it says so."""
    assert call.changes is not None
    names = call.changes(call.args[0])
    if not names:
        return outcome
    error = UsageError(
        f"step {call.definition.name} has changed the object that it is a method of ({', '.join(names)}): that would "
        "be lost when the run is replayed, since only what a step returns is recorded. Return it and let the workflow "
        "set it; or, where that is no part of what the object means, say what identifies it: "
        "@step(key=lambda self: …)."
    )
    error.__cause__ = outcome.error
    call.has_failed_for_good = True
    return Outcome(error=error)


def announce(call: StepCall) -> Flow[tuple[Outcome, int, float] | None]:
    """At most once: say that the body is about to run, so that no later claim runs it again. Where an earlier one has
    said so: what `run_body` gives; None where the body did not take effect, as the function says that is asked.
    """
    run, definition = call.run, call.definition
    mark = run.take_mark(call.key, definition.name, call.fingerprint, call.compared)
    if mark is None:
        yield Record(mark_of(call, "", None))
        return None
    if definition.reconcile is None:
        return Outcome(error=interrupted(call)), 1, (yield Now())
    return (yield from reconcile(call, definition.reconcile, mark))


def reconcile(call: StepCall, asked: Definition, mark: Checkpoint) -> Flow[tuple[Outcome, int, float] | None]:
    """Ask what became of the body; the answer is the step's outcome. It is not recorded before that: of a process that
    ends meanwhile, and of a body that was begun again, it is asked anew.
    """
    question = replace(call, definition=asked)
    if mark.key != f"{call.key}{MARK}":  # asked before, and tried again
        call.run.marks[call.key] = mark
    outcome, number, began_at = yield from run_body(question)
    if outcome.value is NOT_DONE:
        if call.again is not None:  # the question had them
            call.args, call.kwargs = call.again()
        return None
    return outcome, number, began_at


def interrupted(call: StepCall) -> StepInterruptedError:
    """It is not known whether the body took effect: the step's outcome, with what to do."""
    run, name = call.run, call.definition.name
    mend = "then handle this error in the workflow" if call.key else "then start it with a new id if it did not"
    return StepInterruptedError(
        f"step {name} of run {run.run_id} may run at most once, and the process ended while it ran: whether it took "
        f"effect is not known. Find out, {mend}.",
        run_id=run.run_id,
        step=name,
    )


def mark_of(call: StepCall, number: str, value: object) -> StepRecorded:
    """The entry of a mark; its number is empty where there is but one."""
    run, name = call.run, call.definition.name
    stored, _ = run.serializer.accept(value, what="a mark")
    key = f"{call.key}{MARK}{number}"
    return StepRecorded(run.run_id, run.claim, run.next_entry_id(), key, "value", name, call.fingerprint, False, stored)
