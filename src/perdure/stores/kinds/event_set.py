"""A checkpoint that says something to whoever asks."""

from __future__ import annotations

from collections.abc import Sequence

from ..._entries import EventSet
from .kind import Ask, Judgement, Kind, Situation
from .recorded import judge_recorded, look_for


def look(ask: Ask, entries: Sequence[EventSet], situation: Situation) -> None:
    """Whose checkpoints stand under these keys."""
    look_for(ask, entries, situation, "event_set")


def judge(entry: EventSet, situation: Situation) -> Judgement:
    """As every checkpoint."""
    return judge_recorded(entry, situation, "event_set")


EVENT_SET = Kind("event_set", EventSet, judge, look=look)
