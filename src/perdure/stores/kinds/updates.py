"""What becomes of an update that somebody has asked a run for: it is refused, or there is an outcome."""

from __future__ import annotations

from collections.abc import Sequence

from ..._entries import UpdateAnswered, UpdateRefused
from . import recorded
from .kind import Ask, Judgement, Kind, Situation


def look_answered(ask: Ask, entries: Sequence[UpdateAnswered], situation: Situation) -> None:
    """Whose checkpoints stand under these keys."""
    recorded.look_for(ask, entries, situation, "answered")


def judge_answered(entry: UpdateAnswered, situation: Situation) -> Judgement:
    """As any checkpoint: the first answer counts."""
    return recorded.judge_recorded(entry, situation, "answered")


def judge_refused(entry: UpdateRefused, situation: Situation) -> Judgement:
    """Whoever holds the run says so; again is no harm."""
    return None if situation.is_held(entry) else situation.not_held(entry.run_id)


ANSWERED = Kind("answered", UpdateAnswered, judge_answered, look=look_answered)
TURNED_DOWN = Kind("turned_down", UpdateRefused, judge_refused)
