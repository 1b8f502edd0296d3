"""How far a step's body has come: one row a step, for people. Nothing is decided by it."""

from __future__ import annotations

from ..._entries import ProgressMade
from .kind import Judgement, Kind, Situation


def judge(entry: ProgressMade, situation: Situation) -> Judgement:
    """Whoever holds the run says so; again is no harm."""
    return None if situation.is_held(entry) else situation.not_held(entry.run_id)


PROGRESSED = Kind("progressed", ProgressMade, judge)
