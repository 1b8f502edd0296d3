"""A run goes on as a new one, with an empty history."""

from __future__ import annotations

from ..._entries import Accepted, RunContinued
from .kind import Judgement, Kind, Situation, ends


def judge(entry: RunContinued, situation: Situation) -> Judgement:
    """The row keeps which claim has let go of it."""
    trace = situation.runs.get(entry.run_id)
    if trace is not None and trace.last_claim == entry.claim and trace.last_state == "ready":
        return Accepted("ready")
    return ends(entry, situation)


CONTINUED = Kind("continued", RunContinued, judge, lambda entry: Accepted("ready"), ends_claim=True)
