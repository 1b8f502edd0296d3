"""Hooks: a run opens one under a token, and waits for the one answer that somebody outside gives to it.

The token is recorded with the hook, so that it is the same at every replay. The answer is a message, consumed in the
commit of the checkpoint that says so; a timeout is a checkpoint that closes the hook, unless an answer was first.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from ..._entries import (
    Arrival,
    HookMissed,
    HookOpened,
    HookTimedOut,
    MessageReceived,
    Refused,
    StepRecorded,
    Stored,
    Wait,
)
from ...errors import HookAnswerError, HookRejectedError, HookTakenError, PerdureError, SerializationError
from ..answers import Misfit, Shape
from ..flow import Await, CallCancelled, CloseHook, Flow, Now, OpenHook, Outcome, Record, StayOpen, Turn
from ..run import Run
from ..several import Limit, earliest
from .recv import NOTHING, inbox_of
from .step import reading, store_outcome
from .turn import catch_up, log_cancel, log_turn, reached
from .value import NO_ARGUMENTS

NAME = "hook"
TOPIC = "perdure:hook:"
"""How the topics of answers begin; nobody else's may."""


class OpenedHook(Struct, eq=False):
    """A hook of a run, as its code has it."""

    run: Run
    key: str
    token: str
    shape: Shape
    due_at: float | None
    waiter: Any = None
    """The surface's: which branch waits for it."""
    outcome: Outcome | None = None
    """What every wait gives, once one was told."""

    @property
    def topic(self) -> str:
        """Of the message that answers it."""
        return TOPIC + self.token


def open_hook(
    run: Run,
    key: str,
    shape: Shape,
    *,
    token: str,
    is_chosen: bool,
    seconds: float | None,
    fingerprint: str,
    is_instant: bool,
    question: str | None = None,
) -> Flow[OpenedHook]:
    """The hook of this call: the recorded one, or one that is recorded now. Of a token that the program chose it waits
    until it is known to be free. `is_instant`: it blocks an event loop.
    """
    run.check_alive()
    recorded = run.take(key, "hook", NAME, fingerprint)
    if recorded is not None:
        if recorded.is_error:
            raise run.read(key, lambda: run.serializer.load_error(recorded.outcome))
        token, due_at = run.read(key, lambda: read_opening(run.serializer.load(recorded.outcome)))
        return OpenedHook(run, key, token, shape, due_at)
    if run.is_behind:
        yield from catch_up(run, key, "a hook", is_instant=is_instant)
    now: float = (yield Now()) if seconds is not None else 0.0
    due_at = None if seconds is None else now + seconds
    hook = OpenedHook(run, key, token, shape, due_at)
    stored, _ = run.serializer.accept([token, due_at], what="the token of a hook")
    entry = HookOpened(
        run.run_id,
        run.claim,
        run.next_entry_id(),
        key,
        "hook",
        NAME,
        fingerprint,
        False,
        stored,
        token=token,
        topic=hook.topic,
        shape=shape.name,
        schema=shape.schema,
        question=question,
        due_at=due_at,
    )
    verdict = yield OpenHook(entry, waits=is_chosen)
    if isinstance(verdict, HookMissed):
        yield from note_taken(run, key, token, fingerprint)
    if isinstance(verdict, Refused):
        run.check_alive()
        raise PerdureError(f"run {run.run_id} could not open a hook: {verdict.reason}")
    return hook


def note_taken(run: Run, key: str, token: str, fingerprint: str) -> Flow[None]:
    """That the token is another hook's is the outcome of the call."""
    error = HookTakenError(
        f"run {run.run_id} cannot open a hook under the token {token!r}: another one has it, and is not over. Choose "
        "one that says whose it is, such as with the run's id, or let one be drawn",
        token=token,
    )
    stored, outcome = store_outcome(run, Outcome(error=error), "a hook")
    number = run.next_entry_id()
    yield Record(StepRecorded(run.run_id, run.claim, number, key, "hook", NAME, fingerprint, True, stored))
    assert outcome.error is not None
    raise outcome.error


def read_opening(recorded: object) -> tuple[str, float | None]:
    """The token, and when it is too late; a row may hold anything."""
    match recorded:
        case [str(token), None]:
            return token, None
        case [str(token), float(due_at)]:
            return token, due_at
    raise SerializationError("it is no token and time")


def await_answer(hook: OpenedHook, key: str, *, limits: Sequence[Limit] = ()) -> Flow[Outcome | Limit | None]:
    """The answer, or why there is none; None if it did not come in time; or the limit of a block around that comes
    first, and leaves the hook open.
    """
    run, wait = hook.run, Wait("message", hook.topic)
    run.check_alive()
    limit = earliest(limits)
    if limit is not None and limit.is_over:
        return limit
    arrival: Arrival | None = None
    try:
        recorded = run.take(key, "recv", hook.topic, NO_ARGUMENTS)
        if run.order.was_cancelled(key):
            yield StayOpen(key)  # the hook may have been closed all the same
        if recorded is not None and recorded.outcome == NOTHING and recorded.is_error:
            yield from log_turn(run, key)
            return None
        if recorded is not None:
            give = yield from reading(run, key, recorded.outcome, is_error=recorded.is_error)
            yield Turn(key)
            return outcome_of(give)
        if limit is not None and run.order.is_recorded(limit.key):
            return (yield from reached(run, limit))
        if run.is_behind:
            yield from catch_up(run, key, "the answer to a hook")
        times = [time for time in (hook.due_at, None if limit is None else limit.due_at) if time is not None]
        arrival = yield Await(wait, min(times, default=None))
        if arrival is None and limit is not None and (hook.due_at is None or limit.due_at < hook.due_at):
            return (yield from reached(run, limit))
        if arrival is None:
            if (yield from close(hook, key)):
                yield from log_turn(run, key, hook.due_at)
                return None
            arrival = yield Await(wait)  # it is there
        position, _ = yield Turn(key)
    except CallCancelled:
        if arrival is not None:
            inbox_of(run).put_back(wait, arrival)
        yield from log_cancel(run, key)
        raise
    assert arrival is not None
    return (yield from take(hook, key, arrival, position))


def close(hook: OpenedHook, key: str) -> Flow[bool]:
    """It is too late, unless an answer was first; whether it is."""
    run, number = hook.run, hook.run.next_entry_id()
    entry = HookTimedOut(
        run.run_id,
        run.claim,
        number,
        key,
        "recv",
        hook.topic,
        NO_ARGUMENTS,
        True,
        NOTHING,
        token=hook.token,
        hook_key=hook.key,
    )
    verdict = yield CloseHook(entry)
    if isinstance(verdict, Refused):
        run.check_alive()
        raise PerdureError(f"run {run.run_id} could not close a hook: {verdict.reason}")
    return not isinstance(verdict, HookMissed)


def take(hook: OpenedHook, key: str, arrival: Arrival, position: int | None) -> Flow[Outcome]:
    """Record what the answer is, which consumes it."""
    run = hook.run
    told = run.read(key, lambda: run.serializer.load(arrival.value))
    stored, outcome = store_outcome(run, read_answer(hook, told), f"the answer to hook {hook.token}")
    yield Record(
        MessageReceived(
            run.run_id,
            run.claim,
            run.next_entry_id(),
            key,
            "recv",
            hook.topic,
            NO_ARGUMENTS,
            outcome.error is not None,
            stored,
            position,
            message_id=arrival.arrival_id,
        )
    )
    inbox_of(run).consumes(arrival)
    return outcome


def read_answer(hook: OpenedHook, told: object) -> Outcome:
    """What the message says: the answer, which must be of the type; or that there is none, and why."""
    match told:
        case ["answered", data]:
            try:
                return Outcome(hook.shape.make(data))
            except Misfit as misfit:
                error = HookAnswerError(
                    f"the answer to hook {hook.token} is no {hook.shape.name}: {misfit}", token=hook.token
                )
                return Outcome(error=error)
        case ["rejected", str(codec), str(text)]:
            return Outcome(error=hook.run.read(hook.key, partial(hook.run.serializer.load_error, Stored(codec, text))))
        case ["refused", str(reason)]:
            return Outcome(error=HookRejectedError(reason, token=hook.token))
    return Outcome(error=HookAnswerError(f"what hook {hook.token} was told cannot be read", token=hook.token))


def outcome_of(give: Any) -> Outcome:
    """What is recorded."""
    try:
        return Outcome(give())
    except Exception as error:
        return Outcome(error=error)
