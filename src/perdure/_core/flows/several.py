"""Waiting for the next of several runs to end: which one it is, or that none was in time, is recorded as any delivery.

On replay the recorded order says which comes next, so that only what is new asks how things stand.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..flow import AwaitAny, Flow, Outcome
from ..run import Run
from ..several import Limit, Several, earliest
from .child import hand_over_end
from .sleep import time_due
from .turn import log_turn


def begin_limit(run: Run, key: str, seconds: float) -> Flow[Limit]:
    """A limit that begins now, or did when the run ran first."""
    run.check_alive()
    return Limit(key, seconds, (yield from time_due(run, key, "timeout", seconds)))


def next_end(run: Run, several: Several, limits: Sequence[Limit]) -> Flow[tuple[str, Outcome] | Limit]:
    """The call whose run ends next, with the outcome; or the limit that is reached first."""
    run.check_alive()
    limit = earliest(limits)
    if limit is not None and limit.is_over:
        return limit
    key: str | None = several.recorded_next(limits, run.order)
    if key is None:
        key = yield AwaitAny(several, limit.due_at if limit is not None else None)
    if key is not None and key in several.calls:
        outcome = yield from hand_over_end(run, key, several.calls[key])
        several.hand_over(key)
        return key, outcome
    reached = limit if key is None else next(limit for limit in limits if limit.key == key)
    assert reached is not None
    yield from log_turn(run, reached.key, reached.due_at)
    reached.is_over = True
    return reached
