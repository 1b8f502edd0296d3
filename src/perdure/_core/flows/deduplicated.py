"""Start a run under a key that another one may have.

Whose the key is at that moment is no function of the code, so it is recorded: as the call of a child where the run was
made, which its creation does, or another one stands for it; as a value where the call was refused.
"""

from __future__ import annotations

from typing import Any

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
    run.check_alive()
    key = entry.parent_key
    assert key is not None
    recorded = run.take(key, "value", entry.name, entry.fingerprint) if key in run.checkpoints else None
    child = None if recorded is not None else run.take_child(key, entry.name, entry.fingerprint, entry.input)
    holder: Any = None if recorded is None else run.read(key, lambda: run.serializer.load(recorded.outcome))
    try:
        if not is_instant and run.order.was_cancelled(key):
            yield StayOpen(key)
        if recorded is None and child is None:
            if run.is_behind:
                yield from catch_up(run, key, f"a child run of {entry.name}", is_instant=is_instant)
            holder = yield from _ask(run, entry)
        if not is_instant:
            yield from log_turn(run, key)
    except CallCancelled:
        if not is_instant:
            yield from log_cancel(run, key)
        raise
    if child is not None:
        return child.run_id
    if holder is None:
        return entry.run_id
    if recorded is None and shares and holder[1] == entry.name:
        yield Record(call_recorded(run, entry, holder[0]))
    elif recorded is None:
        stored, _ = run.serializer.accept(holder, what=f"who has the key of {entry.name}")
        yield Record(
            StepRecorded(
                run.run_id, run.claim, run.next_entry_id(), key, "value", entry.name, entry.fingerprint, False, stored
            )
        )
    return check_holder(entry, *holder, shares=shares)


def _ask(run: Run, entry: RunCreated) -> Flow[list[str] | None]:
    """Who has the key, id and name; None where the child was made."""
    verdict: Verdict = yield StartChild(entry, waits=True)
    run.check_alive()
    if isinstance(verdict, Existed) and verdict.run_id != entry.run_id:
        return [verdict.run_id, verdict.name]
    check_created(entry, verdict)
    return None
