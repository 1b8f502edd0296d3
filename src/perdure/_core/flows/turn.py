"""Handing over an outcome: when it is this call's turn, how a turn is recorded, and what must wait for all of them."""

from __future__ import annotations

from typing import Final

from ..flow import CatchUp, Flow, LogTurn, Turn
from ..order import CANCELLED_MARK
from ..run import Run
from ..several import Limit

NO_TURN: Final = (None, False)
"""Of a call whose outcome is handed over at once: nothing can come in between."""


def log_turn(run: Run, key: str, due_at: float | None = None) -> Flow[None]:
    """The turn of a wait, whose position has no checkpoint of its own: it goes to the order log. In a run with one
    branch the order follows from the code, so that there is nothing to log.
    """
    is_numbered = run.is_concurrent or (run.order.is_replaying and run.order.is_recorded(key))
    position, was_recorded = yield Turn(key, is_numbered, due_at=due_at)
    if is_numbered and not was_recorded:
        yield LogTurn(position, key)


def reached(run: Run, limit: Limit) -> Flow[Limit]:
    """The limit of a block is over: that is handed over once."""
    if not limit.is_over:
        yield from log_turn(run, limit.key, limit.due_at)
        limit.is_over = True
    return limit


def log_cancel(run: Run, key: str) -> Flow[None]:
    """The run's own code has cancelled this call: that is its outcome, and takes its turn like any other."""
    run.check_alive()
    if run.order.is_recorded(key) and not run.order.was_cancelled(key):
        run.differ(
            key,
            "an outcome",
            "a cancellation: the code gave the call up before its recorded outcome",
            may_be_load=True,
        )
    position, was_recorded = yield Turn(key, is_cancel=True)
    if not was_recorded:
        yield LogTurn(position, CANCELLED_MARK + key)


def catch_up(run: Run, key: str, asked: str, *, is_instant: bool = False) -> Flow[None]:
    """Before this call does anything new: what is recorded comes first, so that a difference is seen before any effect
    is repeated. An instant call cannot wait; live it would have been recorded before all that came after it.
    """
    if run.order.is_recorded(key):
        return  # a start that found somebody else's run: it left a delivery, and no child
    if is_instant:
        run.differ(run.missing_key, "what was asked for next", f"{asked} at {key} first", may_be_load=True)
    yield CatchUp(key)
