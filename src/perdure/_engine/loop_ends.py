"""The end of somebody else's event loop, noticed in time: it cancels all its tasks, and that is nobody's decision.

A loop that closes (`asyncio.run` returns, Ctrl-C) cancels every task on it. A run must not take that for a cancellation
by its own code, nor begin anew on a loop that will not go on.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from .._core.lineage import scope

GUARDS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None] | None] = WeakKeyDictionary()
"""One sleeping task for each loop, cancelled with all the others; None when that has happened."""


def guard(loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
    """The loop's guard, a fresh one if it has none. On its own thread."""
    if loop in GUARDS:
        return GUARDS[loop]

    async def sleep_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    def forget(_: object) -> None:
        GUARDS[loop] = None  # the task holds its loop, which would never be freed

    token = scope.set(None)
    task = GUARDS[loop] = loop.create_task(sleep_for_ever(), name="perdure-guard")
    task.add_done_callback(forget)
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # a loop may be closed without a word to it
    scope.reset(token)
    return task


def is_ending(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop comes to its end and cancels every task, or has done so."""
    return loop in GUARDS and is_cancelled(GUARDS[loop])


def is_cancelled(task: asyncio.Task[None] | None) -> bool:
    """Whether this guard says so."""
    return task is None or task.cancelling() > 0 or task.done()
