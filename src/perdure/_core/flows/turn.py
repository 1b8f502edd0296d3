"""Handing over an outcome: when it is this call's turn, and how a turn is recorded."""

from __future__ import annotations

from ..flow import CallCancelled, Flow, LogTurn, StayOpen, Turn
from ..order import CANCELLED_MARK
from ..run import Run


def take_turn(run: Run, key: str) -> Flow[tuple[int, bool]]:
    """Wait for this call's turn; its position, and whether that is recorded already.

    One branch and nothing to replay: the order follows from the code, and the turn is now.
    """
    if not run.is_concurrent and run.order.is_due(key):
        return run.order.advance(key)
    position: tuple[int, bool] = yield Turn(key)
    return position


def log_turn(run: Run, key: str) -> Flow[None]:
    """The turn of a wait, whose position has no checkpoint of its own: it goes to the order log."""
    if not run.is_concurrent and not run.order.is_replaying:
        return
    if not run.is_concurrent and not run.order.is_recorded(key):
        return
    position, was_recorded = yield from take_turn(run, key)
    if not was_recorded:
        yield LogTurn(position, key)


def stay_open(run: Run, key: str, timeout: float | None = None) -> Flow[None]:
    """Replay a call that the run's own code cancelled: wait until it does so again."""
    if run.order.was_cancelled(key):
        try:
            yield StayOpen(key, timeout)
        except CallCancelled:
            yield from log_cancel(run, key)
            raise


def log_cancel(run: Run, key: str) -> Flow[None]:
    """The run's own code has cancelled this call: that is its outcome, and takes its turn like any other."""
    run.check_alive()
    if run.order.is_recorded(key) and not run.order.was_cancelled(key):
        run.differ(key, "an outcome", "a cancellation: the code gave the call up before its recorded outcome")
    while True:
        try:
            position, was_recorded = yield from take_turn(run, key)
            break
        except CallCancelled:  # once more, while this one waits for its turn: it is the same outcome
            continue
    if not was_recorded:
        yield LogTurn(position, CANCELLED_MARK + key)
