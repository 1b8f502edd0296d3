"""From where a run is started anew, and what becomes of what it has recorded, made and done: functions of its past."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from .._steering import Fork, Past, PastChild, Record, Restart, Undoer
from ..errors import SteeringError, WaitTimeoutError
from ..typing import TERMINAL, RunId
from .cutting import cut, first_since, first_undo, in_order, named
from .failures import Failure
from .flows.child import child_id
from .flows.hook import TOPIC
from .flows.undo import undoer_id

UNWELL = TERMINAL - {"succeeded"}
NO_FAILURE = Failure(None, None)


class Attempted(NamedTuple):
    """What a retry comes to: the place from which the run's records go, and its children that are retried with it."""

    start: int
    children: list[RunId]


def place_of(past: Past, ordered: Sequence[Record], step: str | None) -> int:
    """The place from which the records go; from the beginning without a `step`. Raises `SteeringError`."""
    if step is None:
        return 0
    places = named(ordered, step)
    if not places:
        raise SteeringError(
            f"run {past.run_id} has recorded nothing that is called {step!r}: give the key of a step, or its name, as "
            f"`perdure runs show {past.run_id} --json` has them",
            run_id=past.run_id,
        )
    if len(places) > 1:
        keys = ", ".join(ordered[place].key for place in places[:10])
        raise SteeringError(
            f"run {past.run_id} has called {step!r} {len(places)} times: give the key of one of them, which "
            f"`perdure runs show {past.run_id} --json` has: {keys}",
            run_id=past.run_id,
        )
    return places[0]


def check_at_rest(past: Past, together: Collection[RunId] = ()) -> None:
    """Raise `SteeringError` where the run is in somebody's hands, or what it gave is in use."""
    if past.state == "held":
        raise SteeringError(
            f"run {past.run_id} is held by worker {past.worker_id}: pause or cancel it first", run_id=past.run_id
        )
    if past.has_open_parent and past.parent_id not in together:
        raise SteeringError(
            f"run {past.run_id} is a child of run {past.parent_id}, which has not ended and goes by how this ended: "
            "fork it, or steer that one",
            run_id=past.run_id,
        )


def is_over(past: Past) -> bool:
    """Whether there is anything to retry: it has ended otherwise than well."""
    return past.state in UNWELL


def where_it_failed(past: Past, ordered: Sequence[Record], failure: Failure) -> Attempted:
    """All that worked stays, as far as it was recorded before the failure that the run has ended by.

    That is the first step, or the first children, whose error the run's own is, or was raised from. Where its own code
    has raised it nothing goes: mended code goes on from there.
    """
    start = len(ordered)
    for place, record in enumerate(ordered):
        if record.kind == "step" and record.is_error and failure.came_from(record.outcome):
            start = place
            break
        if record.kind == "recv" and record.is_error and failure.has_type(WaitTimeoutError):
            start = timer_before(ordered, place)
            break
    for child in past.children:
        if past.finished_at is not None and (child.finished_at is None or child.finished_at > past.finished_at):
            start = min(start, first_delivery(ordered, child.run_id))  # it was retried: what it gave has changed
    ended_at = min(
        (child.finished_at or 0.0 for child in past.children if is_cause(past, child, failure)), default=None
    )
    if ended_at is not None:
        start = min(start, first_since(ordered, ended_at))

    def is_unheeded(child: PastChild) -> bool:
        """Whether nothing that stays can have come of how the child ended."""
        return first_since(ordered, child.finished_at or 0.0) >= start

    return Attempted(start, revived(past, ordered, start, is_unheeded))


def revived(past: Past, ordered: Sequence[Record], start: int, is_wanted: Callable[[PastChild], bool]) -> list[RunId]:
    """The children that go on with the run: of those whose calls are kept, and that have ended otherwise than well, the
    wanted ones. Raises `SteeringError` where one is to end by the run's cancel, and has not.
    """
    kept = {call_of(record) for record in ordered[:start] if record.kind == "child"}
    found = []
    for child in past.children:
        if child.run_id not in kept:
            continue
        if past.state == "cancelled" and child.has_cancel and child.finished_at is None:
            raise SteeringError(
                f"run {past.run_id} was cancelled, and its child {child.run_id} is to end by that: ask again when "
                "it has",
                run_id=past.run_id,
            )
        if child.state in UNWELL and is_wanted(child):
            found.append(child.run_id)
    return found


def children_that_its_cancel_ended(past: Past, ordered: Sequence[Record], start: int) -> list[RunId]:
    """Those among what is kept: they go on, too."""
    if past.state != "cancelled":
        return []
    return revived(past, ordered, start, lambda child: is_cause(past, child, NO_FAILURE))


def first_delivery(ordered: Sequence[Record], run_id: RunId) -> int:
    """The place of the first delivery after the call of this child: its end may be among those."""
    is_called = False
    for place, record in enumerate(ordered):
        if is_called and (record.kind == "order" or record.position is not None):
            return place
        is_called = is_called or (record.kind == "child" and call_of(record) == run_id)
    return len(ordered)


def call_of(record: Record) -> RunId:
    """The run that a call has started, or found."""
    return str(json.loads(record.outcome.text))


def timer_before(ordered: Sequence[Record], place: int) -> int:
    """The place of the time limit of a call that was reached, or of the hook; it begins anew, too."""
    for earlier in range(place):
        if ordered[earlier].kind == "hook" and topic_of(ordered[earlier]) == ordered[place].name:
            return earlier
    for earlier in range(place - 1, -1, -1):
        if ordered[earlier].kind == "sleep" and ordered[earlier].name == "timeout":
            return earlier
    return place


def is_cause(past: Past, child: PastChild, failure: Failure) -> bool:
    """Whether the run has ended because this child did so."""
    if past.state == "cancelled":
        return child.state == "cancelled" and (child.finished_at or 0.0) >= (past.cancelled_at or 0.0)
    if child.state == "failed":
        return child.output is not None and failure.came_from(child.output)
    return child.state in UNWELL and failure.tells_of(child.run_id)


def plan_restart(past: Past, undoer: Undoer | None, start: int, *, is_retry: bool, detail: str) -> Restart:
    """The new start of the run. Raises `SteeringError` where what it did is being undone, or was and is to be kept."""
    ordered = in_order(past.records)
    start, ends_undoer = with_undone(past, undoer, ordered, start, is_retry=is_retry)
    result = cut(ordered, start)
    cancelled = [run_id for key, run_id in result.dropped_children if is_drawn(past, key, run_id)]
    its_undoer = undoer_id(past.run_id, past.incarnation)
    return Restart(
        past.run_id,
        past.state,
        past.incarnation,
        max((record.seq for record in past.records), default=0),
        its_undoer,
        undoer and undoer.state,
        undoer.records if undoer else 0,
        result.dropped,
        result.order,
        [*cancelled, its_undoer] if ends_undoer else cancelled,
        hooks_among([record for record in ordered if record.key in set(result.dropped)]),
        start == 0,
        detail,
        result.since,
    )


def hooks_among(records: Sequence[Record]) -> list[str]:
    """The topics of the hooks of which these say how they were answered, or that they were not."""
    return [record.name for record in records if record.kind == "recv" and record.name.startswith(TOPIC)]


def first_unanswered(ordered: Sequence[Record], start: int) -> int:
    """The place of the first hook that was opened before `start`, and not answered: nobody but its run will be."""
    answered = set(hooks_among(ordered[:start]))
    for place, record in enumerate(ordered[:start]):
        if record.kind == "hook" and not record.is_error and topic_of(record) not in answered:
            return place
    return start


def topic_of(record: Record) -> str:
    """Of the messages that answer the hook that was opened by this."""
    return f"{TOPIC}{json.loads(record.outcome.text)[0]}"


def is_drawn(past: Past, key: str, run_id: RunId) -> bool:
    """Whether the child's id follows from its call: then it is nobody else's."""
    return any(run_id == child_id(past.run_id, key, life) for life in range(past.incarnation + 1))


def with_undone(
    past: Past, undoer: Undoer | None, ordered: Sequence[Record], start: int, *, is_retry: bool
) -> tuple[int, bool]:
    """Where to start, so that nothing is kept that was undone; and whether who would have undone it has not begun, and
    is to end.
    """
    first = first_undo(ordered)
    if undoer is None or first is None:
        return start, False
    if undoer.state in ("ready", "parked") and not undoer.records:
        return start, True
    its_id = undoer_id(past.run_id, past.incarnation)
    if undoer.state not in TERMINAL:
        raise SteeringError(
            f"what run {past.run_id} did is being undone just now, by run {its_id}: wait for its end",
            run_id=past.run_id,
        )
    if past.state == "succeeded" or start <= first:
        return start, False
    if undoer.state != "succeeded":
        raise SteeringError(
            f"what run {past.run_id} did was to be undone by run {its_id}, which is {undoer.state}: see to that; then "
            "start the run from the beginning",
            run_id=past.run_id,
        )
    if not is_retry:
        raise SteeringError(
            f"what run {past.run_id} did from call {ordered[first].key.split('~')[0]} on was undone: start it from "
            "there, or from an earlier call",
            run_id=past.run_id,
        )
    return first, False


def plan_fork(past: Past, fork_id: RunId, start: int) -> Fork:
    """The new run with what was recorded before that place."""
    ordered = in_order(past.records)
    result = cut(ordered, first_unanswered(ordered, start))
    gone = {record.key for record in past.records if record.kind in ("undo", "saved") and "~" in record.key}
    kept = [key for key in result.kept if key not in gone]
    return Fork(past.run_id, fork_id, kept, result.order, since=result.since)
