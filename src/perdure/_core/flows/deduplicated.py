"""Start a run under a key that another one may have.

Whose the key is at that moment is no function of the code, so it is recorded: as the call of a child where the run was
made, which its creation does, or another one stands for it; as a value where the call was refused.
"""

from __future__ import annotations

from typing import NamedTuple

from ..._entries import Existed, RunCreated, StepRecorded, Verdict
from ...typing import RunId
from ..flow import CallCancelled, Flow, Record, StartChild, StayOpen
from ..run import Run
from .child import call_recorded, check_created, check_holder
from .turn import catch_up, log_cancel, log_turn


def start_deduplicated(run: Run, entry: RunCreated, *, shares: bool, is_instant: bool = False) -> Flow[RunId]:
    """Make the child, or find the run that has its key: that one where the call `shares`, else `DuplicateRunError`.

    The answer is that of the database. Where it is not to be `is_instant`, other branches go on meanwhile and it takes
    its turn.
    """
    found = yield from _find(run, entry, is_instant=is_instant)
    if found.child_id is not None:
        return found.child_id
    if found.holder is None:
        return entry.run_id
    return (yield from _met(run, entry, found, shares=shares))


def start_debounced(run: Run, entry: RunCreated, *, is_instant: bool = False) -> Flow[RunId]:
    """Ask for a run of its key, which is nobody's child: that one, or `DuplicateRunError` where another has it."""
    found = yield from _find(run, entry, is_instant=is_instant)
    if found.child_id is not None:
        return found.child_id
    if found.holder is not None:
        return (yield from _met(run, entry, found, shares=False))
    yield Record(call_recorded(run, entry, found.run_id))
    return found.run_id


class _Found(NamedTuple):
    """What a call has found: the child that is recorded, or who has the key (id and name), or the run."""

    run_id: RunId
    child_id: RunId | None = None
    holder: tuple[RunId, str] | None = None
    is_recorded: bool = False


def _find(run: Run, entry: RunCreated, *, is_instant: bool) -> Flow[_Found]:
    run.check_alive()
    key = entry.parent_key
    assert key is not None
    recorded = None
    if key in run.checkpoints:
        recorded = run.take(key, "value", entry.name, entry.fingerprint, arguments=entry.input)
    child = None if recorded is not None else run.take_child(key, entry.name, entry.fingerprint, entry.input)
    found = _Found(entry.run_id)
    if recorded is not None:
        holder = run.read(key, lambda: run.serializer.load(recorded.outcome))
        found = _Found(entry.run_id, holder=tuple(holder), is_recorded=True)
    elif child is not None:
        found = _Found(entry.run_id, child_id=child.run_id)
    try:
        if not is_instant and run.order.was_cancelled(key):
            yield StayOpen(key)
        if recorded is None and child is None:
            if run.is_behind:
                yield from catch_up(run, key, f"a child run of {entry.name}", is_instant=is_instant)
            found = yield from _ask(run, entry)
        if not is_instant:
            yield from log_turn(run, key)
    except CallCancelled:
        if not is_instant:
            yield from log_cancel(run, key)
        raise
    return found


def _met(run: Run, entry: RunCreated, found: _Found, *, shares: bool) -> Flow[RunId]:
    """Another run has the key: that is recorded, and then acted on."""
    assert entry.parent_key is not None
    assert found.holder is not None
    if not found.is_recorded and shares and found.holder[1] == entry.name:
        yield Record(call_recorded(run, entry, found.holder[0]))
    elif not found.is_recorded:
        stored, _ = run.serializer.accept(list(found.holder), what=f"who has the key of {entry.name}")
        yield Record(
            StepRecorded(
                run.run_id, run.claim, run.next_entry_id(), entry.parent_key, "value", entry.name, entry.fingerprint,
                False, stored,
            )
        )  # fmt: skip
    return check_holder(entry, *found.holder, shares=shares)


def _ask(run: Run, entry: RunCreated) -> Flow[_Found]:
    """The database's answer."""
    verdict: Verdict = yield StartChild(entry, waits=True)
    run.check_alive()
    if isinstance(verdict, Existed) and verdict.run_id != entry.run_id:
        return _Found(entry.run_id, holder=(verdict.run_id, verdict.name))
    return _Found(check_created(entry, verdict))
