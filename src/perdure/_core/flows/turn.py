"""Handing over an outcome: when it is this call's turn, and how a turn is recorded."""

from __future__ import annotations

from typing import Final

from ..flow import CallCancelled, Flow, LogTurn, Turn
from ..order import CANCELLED_MARK
from ..run import Run

NO_TURN: Final = (None, False)
"""Of a call whose outcome is handed over at once: nothing can come in between."""


def turn_now(run: Run, key: str) -> tuple[int, bool] | None:
    """Take this call's turn, if that is now: its position, and whether that is recorded already. Else ask for a `Turn`.

    One branch and nothing to replay: the order follows from the code.
    """
    if not run.is_concurrent and run.order.is_due(key):
        return run.order.advance(key)
    return None


def log_turn(run: Run, key: str) -> Flow[None]:
    """The turn of a wait, whose position has no checkpoint of its own: it goes to the order log."""
    if not (run.is_concurrent or (run.order.is_replaying and run.order.is_recorded(key))):
        return
    position, was_recorded = turn_now(run, key) or (yield Turn(key))
    if not was_recorded:
        yield LogTurn(position, key)


def log_cancel(run: Run, key: str) -> Flow[None]:
    """The run's own code has cancelled this call: that is its outcome, and takes its turn like any other."""
    run.check_alive()
    if run.order.is_recorded(key) and not run.order.was_cancelled(key):
        run.differ(key, "an outcome", "a cancellation: the code gave the call up before its recorded outcome")
    while True:
        try:
            position, was_recorded = turn_now(run, key) or (yield Turn(key))
            break
        except CallCancelled:  # once more, while this one waits for its turn: it is the same outcome
            continue
    if not was_recorded:
        yield LogTurn(position, CANCELLED_MARK + key)
