"""A run says by what people find it. That is recorded as a checkpoint, by whose trace an entry finds itself."""

from __future__ import annotations

from collections.abc import Sequence

from ..._entries import AttributesSet
from .kind import Ask, Judgement, Kind, Situation
from .recorded import judge_recorded, look_for


def look(ask: Ask, entries: Sequence[AttributesSet], situation: Situation) -> None:
    """Whose checkpoints stand under these keys."""
    look_for(ask, entries, situation, "attributes")


def judge(entry: AttributesSet, situation: Situation) -> Judgement:
    """As every checkpoint."""
    return judge_recorded(entry, situation, "attributes")


ATTRIBUTES = Kind("attributes", AttributesSet, judge, look=look)
