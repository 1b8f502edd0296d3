"""Reads what runs say to others: their events and streams. By the named queries of a store; nothing is waited for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from ..._entries import Answer, EventSeen, QuestionSeen, Stored, UpdateSeen
from ..._streams import StreamRow, StreamSeen
from ...typing import RunId
from .finder import Ask

EventWanted = tuple[RunId, str]
"""A run, and the key of an event."""


StreamWanted = tuple[RunId, str, int]
"""A run, the name of a stream, and from which offset on."""

UpdateWanted = tuple[RunId, str]
"""A run, and the id of the message that asks for an update."""

MOST_ROWS: Final = 100
"""Of one stream at a time."""


class StreamKnown(NamedTuple):
    """A stream: where its next chunk will be, and whether it is closed."""

    name: str
    upto: int
    is_closed: bool


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

    def answers(self, wanted: Sequence[UpdateWanted]) -> list[UpdateSeen]:
        """What has become of each of these updates, in their order."""
        seen = [UpdateSeen(None)] * len(wanted)
        for place, state, is_accepted, kind, codec, body in self._ask("answers_to", {"wanted": json.dumps(wanted)}):
            seen[place] = UpdateSeen(state, bool(is_accepted), kind, None if codec is None else Stored(codec, body))
        return seen

    def replies(self, question_ids: Sequence[str]) -> list[QuestionSeen]:
        """What was answered to each of these questions, in their order."""
        seen = [QuestionSeen(None)] * len(question_ids)
        for place, kind, codec, body in self._ask("replies_to", {"wanted": json.dumps(question_ids)}):
            seen[place] = QuestionSeen(None if kind is None else Answer(kind, Stored(codec, body)))
        return seen

    def chunks(self, wanted: Sequence[StreamWanted]) -> list[StreamSeen]:
        """The next rows of each, in their order; not those that are void."""
        seen = [StreamSeen(None, [], True) for _ in wanted]
        for place, state, *row in self._ask("next_chunks", {"wanted": json.dumps(wanted), "most": MOST_ROWS + 1}):
            found = seen[place]
            found.state = state
            if row[0] is not None:
                found.rows.append(StreamRow(*row))
        for found in seen:
            found.rows.sort(key=lambda row: row.first)
            found.is_all = len(found.rows) <= MOST_ROWS
            del found.rows[MOST_ROWS:]
        return seen

    def streams(self, run_id: RunId) -> list[StreamKnown]:
        """Those that the run has, by name."""
        return [
            StreamKnown(name, upto, bool(is_closed))
            for name, upto, is_closed in self._ask("streams_of_run", {"run_id": run_id})
        ]
