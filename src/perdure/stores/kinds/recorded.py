"""A checkpoint: the outcome of one durable call."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..._entries import Accepted, AttributesSet, Refused, StepRecorded
from .kind import Ask, Judgement, Kind, Situation


def look_for(ask: Ask, entries: Sequence[StepRecorded | AttributesSet], situation: Situation, kind: str) -> None:
    """Whose checkpoints stand under the keys of these entries of a kind."""
    keys = json.dumps([(entry.run_id, entry.key) for entry in entries])
    rows = ask("checkpoint_traces", keys=keys)
    situation.seen[kind] = {(run_id, key): (claim, entry_id) for run_id, key, claim, entry_id in rows}


def judge_recorded(entry: StepRecorded | AttributesSet, situation: Situation, kind: str) -> Judgement:
    """An outcome never changes: another entry under the same key is refused."""
    traces = situation.seen[kind]
    trace = traces.get((entry.run_id, entry.key))
    if trace is not None:
        if trace == (entry.claim, entry.entry_id):
            return Accepted()
        return Refused(f"run {entry.run_id!r} has already recorded {entry.key!r}, under another claim or entry")
    if not situation.is_held(entry):
        return situation.not_held(entry.run_id)
    traces[entry.run_id, entry.key] = (entry.claim, entry.entry_id)
    return None


def look(ask: Ask, entries: Sequence[StepRecorded], situation: Situation) -> None:
    """Whose checkpoints stand under these keys."""
    look_for(ask, entries, situation, "recorded")


def judge(entry: StepRecorded, situation: Situation) -> Judgement:
    """An outcome never changes."""
    return judge_recorded(entry, situation, "recorded")


RECORDED = Kind("recorded", StepRecorded, judge, look=look)
