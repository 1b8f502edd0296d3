"""Which entries of a batch are new, which were recorded before, which are refused: asked set-wise, decided in order.

Only for a batch in which something was not new; under the write lock, so that the answers stay true until the commit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..._entries import (
    Accepted,
    Entry,
    Existed,
    Refused,
    RunCreated,
    RunFinished,
    RunParked,
    StepRecorded,
    Verdict,
)
from ...typing import RunId, RunState
from .connections import Connection
from .rows import texts

_Judgement = Verdict | None
"""None: the entry is new and may be written."""


@dataclass(slots=True)
class _Trace:
    """What is known of a run: from the database, or from an earlier entry of the batch."""

    name: str
    fingerprint: str
    state: RunState
    worker_id: str | None
    claim: str | None
    created_by: str
    finished_by: str | None = None
    last_claim: str | None = None
    last_state: RunState | None = None


@dataclass(slots=True)
class _Situation:
    """The database as far as the batch asks about it, and what the batch has done to it so far."""

    worker_id: str
    runs: dict[RunId, _Trace]
    claims: set[str]
    checkpoints: dict[tuple[RunId, str], tuple[str, str]]
    ended: set[str] = field(default_factory=set)
    refused: dict[str, Refused] = field(default_factory=dict)


def judge(connection: Connection, worker_id: str, entries: Sequence[Entry]) -> list[_Judgement]:
    """One judgement per entry, in order. A refused entry refuses the later ones of its claim."""
    situation = _look(connection, worker_id, entries)
    judgements: list[_Judgement] = []
    for entry in entries:
        claim = entry.claim
        judgement: _Judgement = situation.refused.get(claim) if claim is not None else None
        if judgement is None:
            judgement = _judge_one(entry, situation)
            if isinstance(judgement, Refused) and claim is not None:
                situation.refused[claim] = Refused("an earlier entry of this claim was refused")
        if isinstance(judgement, Refused) and isinstance(entry, RunCreated) and entry.held_as is not None:
            situation.refused[entry.held_as] = Refused("the run was not created")
        judgements.append(judgement)
    return judgements


def _look(connection: Connection, worker_id: str, entries: Sequence[Entry]) -> _Situation:
    found = connection.rows("run_traces", [texts(e.run_id for e in entries)])
    claims = {e.claim for e in entries if e.claim is not None}
    keys = [(e.run_id, e.key) for e in entries if isinstance(e, StepRecorded)]
    checkpoints = connection.rows("checkpoint_traces", [json.dumps(keys)]) if keys else []
    return _Situation(
        worker_id,
        runs={run_id: _Trace(*columns) for run_id, *columns in found},
        claims={claim for (claim,) in connection.rows("held_claims", [texts(claims), worker_id])},
        checkpoints={(run_id, key): (claim, entry_id) for run_id, key, claim, entry_id in checkpoints},
    )


def _judge_one(entry: Entry, situation: _Situation) -> _Judgement:
    if isinstance(entry, RunCreated):
        return _judge_created(entry, situation)
    trace = situation.runs.get(entry.run_id)
    if trace is None:
        return Refused(f"there is no run {entry.run_id!r}")
    is_held = trace.claim == entry.claim and trace.worker_id == situation.worker_id
    if isinstance(entry, StepRecorded):
        return _judge_recorded(entry, situation, is_held)
    if isinstance(entry, RunFinished):
        if trace.finished_by == entry.claim:
            return Accepted(trace.state)
    elif trace.last_claim == entry.claim and (trace.last_state == "parked") == isinstance(entry, RunParked):
        return Accepted(trace.last_state)
    if not is_held or entry.claim in situation.ended:
        return Refused(_not_held(entry.run_id, trace))
    situation.ended.add(entry.claim)
    return None


def _judge_created(entry: RunCreated, situation: _Situation) -> _Judgement:
    trace = situation.runs.get(entry.run_id)
    if trace is not None:
        if trace.created_by == entry.entry_id:
            is_let_go = entry.held_as not in (None, trace.claim, trace.last_claim, trace.finished_by)
            return Accepted(trace.state if is_let_go else None)
        return Existed(trace.name, trace.fingerprint, trace.state)
    if entry.claim is not None and entry.claim not in situation.claims:
        return Refused(f"the claim under which run {entry.run_id!r} was to be made has ended")
    state: RunState = "ready" if entry.held_as is None else "held"
    holder = situation.worker_id if entry.held_as is not None else None
    situation.runs[entry.run_id] = _Trace(entry.name, entry.fingerprint, state, holder, entry.held_as, entry.entry_id)
    if entry.held_as is not None:
        situation.claims.add(entry.held_as)
    return None


def _judge_recorded(entry: StepRecorded, situation: _Situation, is_held: bool) -> _Judgement:
    trace = situation.checkpoints.get((entry.run_id, entry.key))
    if trace is not None:
        if trace == (entry.claim, entry.entry_id):
            return Accepted()
        return Refused(f"run {entry.run_id!r} has already recorded {entry.key!r}, under another claim or entry")
    if not is_held:
        return Refused(_not_held(entry.run_id, situation.runs[entry.run_id]))
    situation.checkpoints[entry.run_id, entry.key] = (entry.claim, entry.entry_id)
    return None


def _not_held(run_id: RunId, trace: _Trace) -> str:
    return f"run {run_id!r} is not held under this claim any more (it is {trace.state})"
