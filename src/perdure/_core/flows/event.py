"""Events: what a run says under a key, to whoever asks; the last counts. And to ask another run for one.

An event is a checkpoint, so that a replay says nothing again, and whatever cuts the history cuts the events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ..._entries import EventSeen, EventSet, StepRecorded, Stored, Wait
from ...typing import RunId
from ..flow import Await, CallCancelled, Flow, Record, Settle, StayOpen, Turn
from ..run import Run
from ..several import Limit, earliest
from .sleep import time_due
from .step import reading
from .turn import catch_up, log_cancel, reached


class Found(Struct):
    """What another run has said; or, without a value, that it has not: it has ended with this state, or there is no
    such run ("").
    """

    value: Any = None
    missing: str | None = None


def set_event(run: Run, key: str, name: str, value: object, *, is_instant: bool) -> Flow[None]:
    """Record it, unless that was done before. `is_instant`: it blocks an event loop."""
    run.check_alive()
    stored, _ = run.serializer.accept(value, what=f"the event {name!r}")
    fingerprint, preview = run.serializer.digest(stored)
    run.has_said = True
    if run.take(key, "event", name, fingerprint, preview, stored) is not None:
        return
    if run.is_behind:
        yield from catch_up(run, key, f"event {name}", is_instant=is_instant)
    number = run.next_entry_id()
    yield Record(
        EventSet(run.run_id, run.claim, number, key, "event", name, fingerprint, False, stored, arguments=preview)
    )


def get_event(
    run: Run,
    key: str,
    of_run: RunId,
    name: str,
    *,
    own_limit: tuple[str, float] | None = None,
    limits: Sequence[Limit] = (),
) -> Flow[Found | Limit | None]:
    """What the other run has last said, once it has; None if it did not within the own limit, the key and seconds of
    which are given; or the limit of a block around that comes first.
    """
    run.check_alive()
    limit = earliest(limits)
    if limit is not None and limit.is_over:
        return limit
    fingerprint, preview, *_ = run.serializer.accept_call(([of_run],), {}, what="the run that is asked for an event")
    try:
        if run.order.was_cancelled(key):
            yield StayOpen(key)
        due_at = None if own_limit is None else (yield from time_due(run, own_limit[0], "timeout", own_limit[1]))
        recorded = run.take(key, "get_event", name, fingerprint, preview)
        if recorded is not None:
            give = yield from reading(run, key, recorded.outcome, is_error=False)
            yield Turn(key)
            return known(give(), is_missing=recorded.is_error)
        if limit is not None and run.order.is_recorded(limit.key):
            return (yield from reached(run, limit))
        if run.is_behind:
            yield from catch_up(run, key, f"event {name} of another run")
        if of_run in run.children:
            yield Settle()  # its creation may still wait in the journal, and there would be no such run
        times = [time for time in (due_at, None if limit is None else limit.due_at) if time is not None]
        seen: EventSeen | None = yield Await(Wait("event", name, run_id=of_run), min(times, default=None))
        if seen is None and limit is not None and (due_at is None or limit.due_at < due_at):
            return (yield from reached(run, limit))
        position, _ = yield Turn(key, due_at=due_at if seen is None else None)
    except CallCancelled:
        yield from log_cancel(run, key)
        raise
    stored, is_missing = outcome_of(run, seen)
    found = run.read(key, lambda: run.serializer.load(stored))
    yield Record(answer(run, key, name, (fingerprint, preview), stored, is_missing, position))
    return known(found, is_missing=is_missing)


def answer(
    run: Run,
    key: str,
    name: str,
    asked: tuple[str, str | None],
    stored: Stored,
    is_missing: bool,
    position: int | None,
) -> StepRecorded:
    """The entry of what was found; `asked` is the fingerprint and preview of whom."""
    fingerprint, preview = asked
    number = run.next_entry_id()
    return StepRecorded(
        run.run_id,
        run.claim,
        number,
        key,
        "get_event",
        name,
        fingerprint,
        is_missing,
        stored,
        position,
        arguments=preview,
    )


def outcome_of(run: Run, seen: EventSeen | None) -> tuple[Stored, bool]:
    """What is recorded: the value; or, as an error, why there is none, None where it did not come in time."""
    if seen is not None and seen.value is not None:
        return seen.value, False
    why = None if seen is None else seen.state or ""
    return run.serializer.accept(why, what="why there is no event")[0], True


def known(found: Any, *, is_missing: bool) -> Found | None:
    """The answer, live as on replay."""
    if not is_missing:
        return Found(found)
    return None if found is None else Found(missing=found)
