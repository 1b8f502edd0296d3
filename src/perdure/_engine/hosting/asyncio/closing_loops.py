"""The end of somebody else's event loop, noticed in time: it cancels all its tasks, and that is nobody's decision.

A loop that closes (`asyncio.run` returns, Ctrl-C) cancels every task on it. A run must not take that for a cancellation
by its own code, nor begin anew on a loop that will not go on.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ...._core.lineage import scope
from .one_per_loop import PerLoop


class Guard:
    """Whether an event loop comes to its end: a task sleeps there, and is cancelled with all the others."""

    __slots__ = ("is_cancelled", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.is_cancelled = False
        """Whether that has happened. A plain attribute: every request of every run asks."""

    def close(self, _: object = None) -> None:
        """The loop ends."""
        self.is_cancelled = True
        self.task = None  # it holds its loop, which would never be freed


class _Sleeper(asyncio.Task[None]):
    """The guard's task: it says so at the moment when it is cancelled, and not when that reaches it."""

    guard: Guard

    def cancel(self, msg: Any = None) -> bool:
        self.guard.is_cancelled = True
        return super().cancel(msg)


GUARDS: PerLoop[Guard] = PerLoop()


def guard(loop: asyncio.AbstractEventLoop) -> Guard:
    """The loop's guard, a fresh one if it has none. On its own thread."""
    known = GUARDS.get(loop)
    if known is not None:
        return known
    made = Guard()

    async def sleep_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    token = scope.set(None)
    task = made.task = _Sleeper(sleep_for_ever(), loop=loop, name="perdure-guard")
    task.guard = made
    task.add_done_callback(made.close)
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # a loop may be closed without a word to it
    scope.reset(token)
    return GUARDS.set(loop, made)


def is_ending(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop comes to its end and cancels every task, or has done so."""
    known = GUARDS.get(loop)
    return known is not None and known.is_cancelled
