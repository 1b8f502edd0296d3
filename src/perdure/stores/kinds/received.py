"""A checkpoint that consumes a message."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..._entries import MessageReceived, Refused
from . import recorded
from .kind import Ask, Judgement, Kind, Situation


def look(ask: Ask, entries: Sequence[MessageReceived], situation: Situation) -> None:
    """What any checkpoint asks, and who has received the messages."""
    recorded.look_for(ask, entries, situation, "received")
    message_ids = json.dumps([entry.message_id for entry in entries if entry.message_id is not None])
    situation.seen["messages"] = {row[0]: row[1] for row in ask("message_traces", message_ids=message_ids)}


def judge(entry: MessageReceived, situation: Situation) -> Judgement:
    """As any checkpoint; and a message is received once."""
    judgement = recorded.judge_recorded(entry, situation, "received")
    if judgement is not None or entry.message_id is None:
        return judgement
    receivers = situation.seen["messages"]
    if receivers.get(entry.message_id, entry.key) is not None:
        return Refused(f"the message {entry.message_id} that run {entry.run_id!r} received is not there any more")
    receivers[entry.message_id] = entry.key
    return None


RECEIVED = Kind("received", MessageReceived, judge, look=look)
