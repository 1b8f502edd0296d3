"""The end of somebody else's event loop, noticed in time: it cancels all its tasks, and that is nobody's decision.

A loop that closes (`asyncio.run` returns, Ctrl-C) cancels every task on it. A run must not take that for a cancellation
by its own code, nor begin anew on a loop that will not go on.
"""

from __future__ import annotations

import asyncio

from .._core.lineage import scope
from .per_loop import PerLoop


class Guard:
    """A task that sleeps on its loop, and is cancelled there with all the others; none when that has happened."""

    __slots__ = ("task",)

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether the loop comes to its end, or has done so."""
        task = self.task
        return task is None or task.cancelling() > 0 or task.done()


GUARDS: PerLoop[Guard] = PerLoop()


def guard(loop: asyncio.AbstractEventLoop) -> Guard:
    """The loop's guard, a fresh one if it has none. On its own thread."""
    known = GUARDS.get(loop)
    if known is not None:
        return known
    made = Guard()

    async def sleep_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    def forget(_: object) -> None:
        made.task = None  # the task holds its loop, which would never be freed

    token = scope.set(None)
    task = made.task = loop.create_task(sleep_for_ever(), name="perdure-guard")
    task.add_done_callback(forget)
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # a loop may be closed without a word to it
    scope.reset(token)
    return GUARDS.set(loop, made)


def is_ending(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop comes to its end and cancels every task, or has done so."""
    known = GUARDS.get(loop)
    return known is not None and known.is_cancelled
