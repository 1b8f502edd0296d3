"""A kind of entry that no release has: its struct, its judgement, and beside it its SQL for each store."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from perdure._entries import Accepted
from perdure.stores.kinds.kind import Ask, Judgement, Kind, Situation


class Noted(Struct, gc=False):
    """A note that a run makes about itself."""

    run_id: str
    claim: str
    entry_id: str
    body: str


def look(ask: Ask, entries: Sequence[Noted], situation: Situation) -> None:
    """Nothing is asked: who notes twice in this test has noted before."""
    situation.seen["noted"] = {entry.entry_id for entry in entries if entry.body == "again"}


def judge(entry: Noted, situation: Situation) -> Judgement:
    """An entry that was there is accepted, one of a claim that is over is refused."""
    if entry.entry_id in situation.seen["noted"]:
        return Accepted()
    return None if situation.is_held(entry) else situation.not_held(entry.run_id)


NOTED = Kind("noted", Noted, judge, look=look, folder="tests.stores.noted.{store}")
