"""What handles refuse in a run: to tell how a run stands at some moment, which no replay can repeat."""

from __future__ import annotations

import sys
from types import FrameType
from typing import NoReturn

from .._core.lineage import Branch, scope
from ..errors import UsageError
from ..typing import RunId


def refuse_in_run(handle: object, run_id: RunId) -> NoReturn:
    """For what takes the lock of the future in a handle."""
    let_go_of_locks(handle, sys._getframe(2))
    raise UsageError(
        "done(), running(), callbacks, and what is built on them (concurrent.futures.wait and as_completed, "
        f"asyncio.wrap_future) tell how run {run_id} stands at some moment, which no replay can repeat. In a run use "
        "perdure.as_completed, perdure.wait, perdure.first, or `await handle`; handle.status() is recorded"
    )


def let_go_of_locks(handle: object, caller: FrameType) -> None:
    """`concurrent.futures.wait` and `as_completed` take the locks of all futures, one after the other: those that they
    have by now they would keep for ever.
    """
    if caller.f_globals.get("__name__") != "concurrent.futures._base" or caller.f_code.co_name != "__enter__":
        return
    for future in caller.f_locals["self"].futures:
        if future is handle:
            return
        future._condition.release()


def refuse_executor_in_run(queue: str) -> None:
    """Raise `UsageError` where `run_in_executor` submits for a run: what it makes of the handle cannot be replayed."""
    caller = sys._getframe(2).f_globals.get("__name__", "")
    if caller.startswith("asyncio.") and type(scope.get()) is Branch:
        raise UsageError(
            f"run_in_executor with queue {queue!r} in a run waits in a way that no replay can repeat, and keeps the "
            "run's slot. Use `await (await queue.asubmit(fn, ...))`, or perdure.wait and as_completed for several"
        )
