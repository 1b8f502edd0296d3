"""A message to a run."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..._entries import Accepted, MessageSent, Refused, Undelivered
from ...typing import TERMINAL
from .kind import Ask, Judgement, Kind, Situation


def look(ask: Ask, entries: Sequence[MessageSent], situation: Situation) -> None:
    """Which of them are there already."""
    rows = ask("message_traces", message_ids=json.dumps([entry.message_id for entry in entries]))
    situation.seen["sent"] = {message_id for message_id, _ in rows}


def judge(entry: MessageSent, situation: Situation) -> Judgement:
    """Its own trace comes first, whatever has become of the receiver since."""
    if entry.message_id in situation.seen["sent"]:
        return Accepted()
    if entry.claim is not None and entry.claim not in situation.claims:
        return Refused(f"the claim under which a message to run {entry.run_id!r} was sent has ended")
    receiver = situation.runs.get(entry.run_id)
    if receiver is None or receiver.state in TERMINAL:
        return Undelivered(None if receiver is None else receiver.state)
    situation.seen["sent"].add(entry.message_id)
    return None


SENT = Kind("sent", MessageSent, judge, look=look)
