"""Hooks: one is opened by a checkpoint, resolved by a message, or closed by the checkpoint that says it is too late.

Whichever of the last two is written first decides; the other one is told so, and nothing of it is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ..._entries import Accepted, HookMissed, HookOpened, HookResolved, HookTimedOut, Refused
from ...typing import TERMINAL, RunId
from .kind import Ask, Judgement, Kind, Situation
from .recorded import judge_recorded, look_for

HookEntry = HookOpened | HookResolved | HookTimedOut


@dataclass(slots=True)
class HookTrace:
    """What is known of the hook that has a token: from the database, or from an earlier entry of the batch."""

    run_id: RunId
    key: str
    resolved_by: str | None = None
    """The message that is the answer."""
    is_closed: bool = False
    is_free: bool = False
    """Whether the token may be given to another hook."""


def look_at_hooks(ask: Ask, entries: Sequence[HookEntry], situation: Situation) -> None:
    """Whose the tokens are."""
    traces = situation.seen.setdefault("hooks", {})
    tokens = {entry.token for entry in entries} - traces.keys()
    for token, run_id, key, resolved_by, *states in ask("hook_traces", tokens=json.dumps(sorted(tokens))):
        traces[token] = HookTrace(run_id, key, resolved_by, *map(bool, states))


def look_opened(ask: Ask, entries: Sequence[HookOpened], situation: Situation) -> None:
    """Also what any checkpoint asks."""
    look_for(ask, entries, situation, "opened")
    look_at_hooks(ask, entries, situation)


def judge_opened(entry: HookOpened, situation: Situation) -> Judgement:
    """As any checkpoint; and a token belongs to one hook. A run that is started anew opens its own again."""
    judgement = judge_recorded(entry, situation, "opened")
    if judgement is not None:
        return judgement
    traces = situation.seen["hooks"]
    hook = traces.get(entry.token)
    if hook is not None and not is_over(hook, situation) and (hook.run_id, hook.key) != (entry.run_id, entry.key):
        del situation.seen["opened"][entry.run_id, entry.key]  # nothing is recorded under this key
        return HookMissed("taken")
    traces[entry.token] = HookTrace(entry.run_id, entry.key)
    return None


def is_over(hook: HookTrace, situation: Situation) -> bool:
    """Whether its token is free: by what the database says, or since its answer is received in this very batch."""
    return hook.is_free or situation.seen.get("messages", {}).get(hook.resolved_by) is not None


def look_resolved(ask: Ask, entries: Sequence[HookResolved], situation: Situation) -> None:
    """Also which of the answers are there already."""
    rows = ask("message_traces", message_ids=json.dumps([entry.message_id for entry in entries]))
    situation.seen["resolved"] = {message_id for message_id, _ in rows}
    look_at_hooks(ask, entries, situation)


def judge_resolved(entry: HookResolved, situation: Situation) -> Judgement:
    """Its own trace comes first, whatever has become of the hook since; then the first answer is the only one."""
    if entry.message_id in situation.seen["resolved"]:
        return Accepted()
    if entry.claim is not None and entry.claim not in situation.claims:
        return Refused(f"the claim under which hook {entry.token!r} was resolved has ended")
    hook, run = situation.seen["hooks"].get(entry.token), situation.runs.get(entry.run_id)
    if hook is None:
        return HookMissed("unknown")
    if hook.is_closed or (hook.run_id, hook.key) != (entry.run_id, entry.key):
        return HookMissed("closed")
    if hook.resolved_by is not None:
        return HookMissed("resolved")
    if run is None or run.state in TERMINAL:
        return HookMissed("ended", None if run is None else run.state)
    hook.resolved_by = entry.message_id
    situation.seen["resolved"].add(entry.message_id)
    return None


def look_timed_out(ask: Ask, entries: Sequence[HookTimedOut], situation: Situation) -> None:
    """Also what any checkpoint asks."""
    look_for(ask, entries, situation, "timed_out")
    look_at_hooks(ask, entries, situation)


def judge_timed_out(entry: HookTimedOut, situation: Situation) -> Judgement:
    """As any checkpoint; but an answer that was accepted is never too late."""
    judgement = judge_recorded(entry, situation, "timed_out")
    hook = situation.seen["hooks"].get(entry.token)
    if judgement is not None or hook is None or (hook.run_id, hook.key) != (entry.run_id, entry.hook_key):
        return judgement
    if hook.resolved_by is not None:
        del situation.seen["timed_out"][entry.run_id, entry.key]
        return HookMissed("resolved")
    hook.is_closed = True
    return None


OPENED = Kind("opened", HookOpened, judge_opened, look=look_opened)
RESOLVED = Kind("resolved", HookResolved, judge_resolved, look=look_resolved)
TIMED_OUT = Kind("timed_out", HookTimedOut, judge_timed_out, look=look_timed_out)
