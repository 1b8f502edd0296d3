"""Chunks of streams, and that a new attempt begins them anew. Each finds itself by its own trace, the row."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..._entries import Accepted
from ..._streams import StreamRewound, StreamWritten
from .kind import Ask, Judgement, Kind, Situation


def look_for(ask: Ask, entries: Sequence[StreamWritten | StreamRewound], situation: Situation, kind: str) -> None:
    """Which of them are there already."""
    keys = json.dumps([(entry.run_id, entry.claim, entry.entry_id) for entry in entries])
    situation.seen[kind] = {(run_id, claim, entry_id) for run_id, claim, entry_id in ask("stream_traces", keys=keys)}


def judge_by_trace(entry: StreamWritten | StreamRewound, situation: Situation, kind: str) -> Judgement:
    """Its own trace comes first; else its claim must be that of who holds the run."""
    trace = (entry.run_id, entry.claim, entry.entry_id)
    if trace in situation.seen[kind]:
        return Accepted()
    if not situation.is_held(entry):
        return situation.not_held(entry.run_id)
    situation.seen[kind].add(trace)
    return None


def look_for_written(ask: Ask, entries: Sequence[StreamWritten], situation: Situation) -> None:
    """Which chunks are there."""
    look_for(ask, entries, situation, "written")


def judge_written(entry: StreamWritten, situation: Situation) -> Judgement:
    """See `judge_by_trace`."""
    return judge_by_trace(entry, situation, "written")


def look_for_rewound(ask: Ask, entries: Sequence[StreamRewound], situation: Situation) -> None:
    """Which attempts have begun anew."""
    look_for(ask, entries, situation, "rewound")


def judge_rewound(entry: StreamRewound, situation: Situation) -> Judgement:
    """See `judge_by_trace`."""
    return judge_by_trace(entry, situation, "rewound")


WRITTEN = Kind("written", StreamWritten, judge_written, look=look_for_written)
REWOUND = Kind("rewound", StreamRewound, judge_rewound, look=look_for_rewound)
