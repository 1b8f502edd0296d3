"""Receiving messages: each is handed over once, and consumed in the commit of the checkpoint that says so.

That none came in time is an outcome like any other, recorded, and so is told apart from a message that is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ..._entries import Arrival, MessageReceived, Stored, Wait
from ..flow import Await, CallCancelled, Flow, Record, StayOpen, Turn
from ..inbox import Inbox
from ..run import Run
from ..several import Limit, earliest
from .sleep import time_due
from .step import reading
from .turn import catch_up, log_cancel, reached
from .value import NO_ARGUMENTS

NOTHING = Stored("json", "null")


class Message(Struct):
    """What was received."""

    value: Any


def receive(
    run: Run, key: str, topic: str, *, own_limit: tuple[str, float] | None = None, limits: Sequence[Limit] = ()
) -> Flow[Message | Limit | None]:
    """The next message of the topic; None if it did not come within the own limit, the key and seconds of which are
    given; or the limit of a block around that comes first.
    """
    run.check_alive()
    limit = earliest(limits)
    if limit is not None and limit.is_over:
        return limit
    wait, arrival = Wait("message", topic), None
    try:
        if run.order.was_cancelled(key):
            yield StayOpen(key)
        due_at = None if own_limit is None else (yield from time_due(run, own_limit[0], "timeout", own_limit[1]))
        recorded = run.take(key, "recv", topic, NO_ARGUMENTS)
        if recorded is not None:
            give = yield from reading(run, key, recorded.outcome, is_error=False)
            yield Turn(key)
            return None if recorded.is_error else Message(give())
        if limit is not None and run.order.is_recorded(limit.key):
            return (yield from reached(run, limit))
        if run.is_behind:
            yield from catch_up(run, key, "a message")
        times = [time for time in (due_at, None if limit is None else limit.due_at) if time is not None]
        arrival = yield Await(wait, min(times, default=None))
        if arrival is None and limit is not None and (due_at is None or limit.due_at < due_at):
            return (yield from reached(run, limit))
        position, _ = yield Turn(key, due_at=due_at if arrival is None else None)
    except CallCancelled:
        if arrival is not None:
            inbox_of(run).put_back(wait, arrival)
        yield from log_cancel(run, key)
        raise
    message = None
    if arrival is not None:
        stored = arrival.value
        message = Message(run.read(key, lambda: run.serializer.load(stored)))
    yield Record(checkpoint(run, key, topic, arrival, position))
    if arrival is not None:
        inbox_of(run).consumes(arrival)  # not before it is handed in: until its commit the database shows it
    return message


def inbox_of(run: Run) -> Inbox:
    """That of a run to which something was handed over."""
    assert run.inbox is not None
    return run.inbox


def checkpoint(run: Run, key: str, topic: str, arrival: Arrival | None, position: int | None) -> MessageReceived:
    """The outcome of the call, which consumes the message."""
    return MessageReceived(
        run.run_id,
        run.claim,
        run.next_entry_id(),
        key,
        "recv",
        topic,
        NO_ARGUMENTS,
        arrival is None,
        NOTHING if arrival is None else arrival.value,
        position,
        message_id=None if arrival is None else arrival.arrival_id,
    )
