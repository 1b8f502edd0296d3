"""A run is made, unless its id is taken."""

from __future__ import annotations

from ..._entries import Accepted, Existed, Refused, RunCreated
from ...typing import RunState
from .kind import Judgement, Kind, Situation, Trace


def judge(entry: RunCreated, situation: Situation) -> Judgement:
    """Its own trace comes first: an entry that is sent again is accepted; with the run's state where that is not held,
    and has not ended, under the claim that the entry names (rule 16).
    """
    trace = situation.runs.get(entry.run_id)
    if trace is not None:
        if trace.created_by == entry.entry_id:
            is_let_go = entry.held_as not in (None, trace.claim, trace.last_claim, trace.finished_by)
            return Accepted(trace.state if is_let_go else None)
        return Existed(entry.run_id, trace.name, trace.fingerprint, trace.state)
    if entry.claim is not None and entry.claim not in situation.claims:
        return Refused(f"the claim under which run {entry.run_id!r} was to be made has ended")
    state: RunState = "ready" if entry.held_as is None else "held"
    holder = situation.worker_id if entry.held_as is not None else None
    situation.runs[entry.run_id] = Trace(entry.name, entry.fingerprint, state, holder, entry.held_as, entry.entry_id)
    if entry.held_as is not None:
        situation.claims.add(entry.held_as)
    return None


CREATED = Kind("created", RunCreated, judge, folds=("lived", "attributed"))
