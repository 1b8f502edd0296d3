"""Reads what runs say to others: the last of their events. By the named queries of a store; nothing is waited for."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..._entries import EventSeen, Stored
from ...typing import RunId
from .finder import Ask

EventWanted = tuple[RunId, str]
"""A run, and the key of an event."""


class Said:
    """One statement for each question, however many runs it is about."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def events(self, wanted: Sequence[EventWanted]) -> list[EventSeen]:
        """What is there of each, in their order."""
        seen = [EventSeen(None, None)] * len(wanted)
        for place, state, codec, body in self._ask("last_events", {"wanted": json.dumps(wanted)}):
            seen[place] = EventSeen(state, None if codec is None else Stored(codec, body))
        return seen

    def all_events(self, run_id: RunId) -> dict[str, Stored]:
        """All of the run, by key."""
        return {key: Stored(codec, body) for key, codec, body in self._ask("events_of_run", {"run_id": run_id})}
