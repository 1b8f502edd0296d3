"""A run's end."""

from __future__ import annotations

from ..._entries import Accepted, RunFinished
from .kind import Judgement, Kind, Situation, ends


def judge(entry: RunFinished, situation: Situation) -> Judgement:
    """`finished_by` stays on a row that is over, so that a finish that is sent again finds itself."""
    trace = situation.runs.get(entry.run_id)
    if trace is not None and trace.finished_by == entry.claim:
        return Accepted(trace.state, trace.reason)
    return ends(entry, situation)


def is_open(entry: RunFinished) -> bool:
    """Whether it has ended by its deadline the database's clock says."""
    return entry.has_deadline and entry.state == "cancelled"


FINISHED = Kind(
    "finished",
    RunFinished,
    judge,
    lambda entry: Accepted(entry.state, entry.reason),
    is_open=is_open,
    ends_claim=True,
)
