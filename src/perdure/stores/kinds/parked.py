"""A run leaves memory and waits; or it goes on to a worker that has other code, where this one's cannot replay it."""

from __future__ import annotations

from ..._entries import Accepted, RunParked
from .kind import Judgement, Kind, Situation, ends


def judge(entry: RunParked, situation: Situation) -> Judgement:
    """The row keeps which claim parked it."""
    trace = situation.runs.get(entry.run_id)
    if trace is not None and trace.last_claim == entry.claim and trace.last_state == "parked":
        return Accepted("ready" if entry.is_refused and trace.state != "parked" else "parked")
    return ends(entry, situation)


PARKED = Kind(
    "parked",
    RunParked,
    judge,
    lambda entry: Accepted("parked"),
    is_open=lambda entry: bool(entry.is_refused),
    ends_claim=True,
)
