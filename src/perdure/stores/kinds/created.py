"""A run is made, unless its id or its key is taken."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..._entries import Accepted, Existed, Refused, RunCreated
from ...typing import RunState
from .kind import Ask, Judgement, Kind, Rows, Situation, Trace


def look(ask: Ask, entries: Sequence[RunCreated], situation: Situation) -> None:
    """Which runs have the keys of those that are to have one."""
    has_keys = any(entry.dedup_key is not None for entry in entries)
    note_holders(ask("key_holders", keys=keys_of(entries)) if has_keys else (), situation)


def keys_of(entries: Sequence[RunCreated]) -> str:
    """Queue and key of those that are to have one, as JSON."""
    return json.dumps(sorted({(entry.queue, entry.dedup_key) for entry in entries if entry.dedup_key is not None}))


def note_holders(rows: Rows, situation: Situation) -> None:
    """Take in which runs have keys, which of them until they begin, and by which entries they were made."""
    keys, may_join = situation.seen.setdefault("keys", {}), situation.seen.setdefault("may_join", {})
    for queue, key, *holder, until_start, created_by in rows:
        keys[queue, key] = Existed(*holder)
        if until_start:
            may_join[queue, key] = created_by


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
    if entry.dedup_key is not None:
        holders, key = situation.seen["keys"], (entry.queue, entry.dedup_key)
        if key in holders:
            holder: Existed = holders[key]
            return holder
        if entry.held_as is None or not entry.dedup_until_start:
            holders[key] = Existed(entry.run_id, entry.name, entry.fingerprint, state)
    holder_id = situation.worker_id if entry.held_as is not None else None
    situation.runs[entry.run_id] = Trace(entry.name, entry.fingerprint, state, holder_id, entry.held_as, entry.entry_id)
    if entry.held_as is not None:
        situation.claims.add(entry.held_as)
    return None


CREATED = Kind("created", RunCreated, judge, look=look, folds=("lived", "attributed"))
