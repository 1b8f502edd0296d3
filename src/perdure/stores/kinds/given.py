"""A run that waits gives its slot back, and stays held."""

from __future__ import annotations

from ..._entries import SlotGiven
from .kind import Judgement, Kind, Situation


def judge(entry: SlotGiven, situation: Situation) -> Judgement:
    """Given twice is given; under a claim that is over there is none."""
    return None if situation.is_held(entry) else situation.not_held(entry.run_id)


GIVEN = Kind("given", SlotGiven, judge)
