"""A held run goes back to ready, or ends as dead where its last attempt stays charged."""

from __future__ import annotations

from ..._entries import Accepted, RunReleased
from .kind import Judgement, Kind, Situation, ends


def judge(entry: RunReleased, situation: Situation) -> Judgement:
    """The row keeps which claim released it, and into what."""
    trace = situation.runs.get(entry.run_id)
    if trace is not None and trace.last_claim == entry.claim and trace.last_state in ("ready", "dead"):
        return Accepted(trace.last_state)
    return ends(entry, situation)


RELEASED = Kind(
    "released",
    RunReleased,
    judge,
    lambda entry: Accepted("ready"),
    is_open=lambda entry: bool(entry.charged),
    ends_claim=True,
)
