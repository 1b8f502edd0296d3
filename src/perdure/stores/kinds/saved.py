"""What a step's body saves for its next attempt: one row a step, which the last one overwrites, until it is over."""

from __future__ import annotations

from collections.abc import Sequence

from ..._entries import Accepted, ValueSaved
from .kind import Ask, Judgement, Kind, Situation
from .recorded import look_for


def look(ask: Ask, entries: Sequence[ValueSaved], situation: Situation) -> None:
    """What was saved last under these keys, and by which entry."""
    look_for(ask, entries, situation, "saved")


def judge(entry: ValueSaved, situation: Situation) -> Judgement:
    """One that is sent again does not overwrite what the same claim has saved since: its entries are numbered."""
    claim, number = situation.seen["saved"].get((entry.run_id, entry.key), (None, ""))
    if claim == entry.claim and int(number) >= int(entry.entry_id):
        return Accepted()
    if not situation.is_held(entry):
        return situation.not_held(entry.run_id)
    situation.seen["saved"][entry.run_id, entry.key] = (entry.claim, entry.entry_id)
    return None


SAVED = Kind("saved", ValueSaved, judge, look=look)
