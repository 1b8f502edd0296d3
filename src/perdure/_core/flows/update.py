"""Updates: somebody outside asks the run to do something. It is refused, or accepted and done.

One call waits for the next one. What is asked is a message; that it is accepted is a delivery like every other, with a
place in the run's order, and the checkpoint that says so consumes the message. So a replay does it at the same place.
A refusal takes no place, and is in no history: it follows from what the run's code thinks of it right then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from ..._entries import Arrival, MessageReceived, Stored, UpdateAnswered, UpdateRefused, Wait
from ...errors import SerializationError
from ..flow import Await, CallCancelled, Flow, GiveBack, Outcome, Record, StayOpen, Turn
from ..run import Run
from .recv import inbox_of
from .step import reading, store_outcome
from .turn import catch_up, log_cancel
from .value import NO_ARGUMENTS

TOPIC: Final = "perdure:update"
"""Of the messages that ask for one; nobody else's may begin so."""
NAME: Final = "update"


class Asked(Struct):
    """What the run is asked to do, and by which message."""

    message_id: str
    name: str
    args: list[Any]


Refuse = Callable[[Asked], BaseException | None]
"""Why not. Asked when the run is at rest; it may look at everything and change nothing. Raises what is no answer."""


def next_update(run: Run, key: str, refuse: Refuse) -> Flow[Asked | None]:
    """The next one that is accepted, in the order in which they were sent; None where this life accepts no more."""
    run.check_alive()
    wait, arrival = Wait("message", TOPIC), None
    try:
        if run.order.was_cancelled(key):
            yield StayOpen(key)
        recorded = run.take(key, "update", NAME, NO_ARGUMENTS)
        if recorded is not None:
            give = yield from reading(run, key, recorded.outcome, is_error=False)
            yield Turn(key)
            return run.read(key, lambda: asked_of(give()))
        if run.is_behind:
            yield from catch_up(run, key, "an update")
        while True:
            arrival = yield Await(wait)
            position, _ = yield Turn(key)
            if run.handlers is not None and not run.handlers.accepts:
                yield GiveBack(position)
                return None
            try:
                asked = read_asked(run, arrival)
                refusal = refuse(asked) if isinstance(asked, Asked) else asked
            except BaseException:
                yield GiveBack(position)
                raise
            if refusal is None and isinstance(asked, Asked):
                break
            assert refusal is not None
            yield GiveBack(position)
            reason = run.serializer.dump_error(refusal)
            yield Record(UpdateRefused(run.run_id, run.claim, arrival.arrival_id, reason))
            inbox_of(run).consumes(arrival)
            arrival = None
    except CallCancelled:
        if arrival is not None:
            inbox_of(run).put_back(wait, arrival)
        yield from log_cancel(run, key)
        raise
    yield Record(acceptance(run, key, asked, position))
    inbox_of(run).consumes(arrival)
    return asked


def acceptance(run: Run, key: str, asked: Asked, position: int | None) -> MessageReceived:
    """The checkpoint from which on the update will be done, whatever happens."""
    told = [asked.message_id, asked.name, asked.args]
    stored, _ = run.serializer.accept(told, what=f"what update {asked.name!r} is asked with")
    number, taken = run.next_entry_id(), asked.message_id
    return MessageReceived(
        run.run_id, run.claim, number, key, "update", NAME, NO_ARGUMENTS, False, stored, position, message_id=taken
    )


def read_asked(run: Run, arrival: Arrival) -> Asked | SerializationError:
    """What the message asks for; or why this process cannot read it, which is told to whoever asks."""
    try:
        name, args = run.serializer.load(arrival.value)
        return asked_of([arrival.arrival_id, name, args])
    except SerializationError as error:
        return error
    except (TypeError, ValueError):
        return SerializationError("what the update asks for cannot be read")


def asked_of(recorded: object) -> Asked:
    """What is recorded; a row may hold anything."""
    match recorded:
        case [str(message_id), str(name), list(args)]:
            return Asked(message_id, name, args)
    raise SerializationError("it is no update")


def answer(run: Run, key: str, asked: Asked, outcome: Outcome) -> Flow[None]:
    """Record what became of it, which is what whoever asks is told."""
    run.check_alive()
    if run.take(key, "answer", asked.name, NO_ARGUMENTS) is not None:
        return
    if run.is_behind:
        yield from catch_up(run, key, f"the answer to update {asked.name}")
    stored, outcome = store_outcome(run, outcome, f"what update {asked.name!r} gives")
    yield Record(answered(run, key, asked, stored, is_error=outcome.error is not None))


def answered(run: Run, key: str, asked: Asked, stored: Stored, *, is_error: bool) -> UpdateAnswered:
    """The entry of it."""
    number, to = run.next_entry_id(), asked.message_id
    return UpdateAnswered(
        run.run_id, run.claim, number, key, "answer", asked.name, NO_ARGUMENTS, is_error, stored, message_id=to
    )
