"""The ends of several runs and tasks on an event loop, one after the other.

Each handle is waited for by a task. In a run that is a branch, whose outcome is handed over at rest like any other, in
an order that is recorded; so the order in which the tasks tell of their ends is the same at every replay.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from ..errors import RunInterrupted
from .handle import Handle
from .recorded_values import sleep
from .waits import late

T = TypeVar("T", bound=Handle[Any] | asyncio.Future[Any])


class Next(asyncio.Future[None]):
    """Waits for the next to end. Like the future of a gather it says what it waits for, so that a run which waits for
    nothing else may leave memory.
    """

    _children: Sequence[asyncio.Future[Any]] = ()


class Ended(Generic[T]):
    """Those that have ended, in this order, and were not handed on yet."""

    def __init__(self) -> None:
        self.items: deque[T] = deque()
        self.is_late = False
        self.interrupted: RunInterrupted | None = None
        """The run is interrupted: nothing more will come."""
        self.waiter: Next | None = None

    def note(self, item: T, waited: asyncio.Future[Any]) -> None:
        """One has ended. With what is the item's to tell."""
        if isinstance(item, Handle):
            if waited.cancelled():
                return  # nobody waits any more
            error = waited.exception()
            self.interrupted = error if isinstance(error, RunInterrupted) else self.interrupted
        self.items.append(item)
        self._wake()

    def note_late(self, timer: asyncio.Future[Any]) -> None:
        """The time is over."""
        if not timer.cancelled():
            error = timer.exception()
            self.interrupted = error if isinstance(error, RunInterrupted) else self.interrupted
            self.is_late = True
            self._wake()

    def _wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def wait(self, children: Sequence[asyncio.Future[Any]]) -> None:
        """Until there is something to hand on."""
        while not (self.items or self.is_late):
            self.waiter = Next()
            self.waiter._children = children
            await self.waiter
        if self.interrupted is not None:
            raise self.interrupted


class Endings(Generic[T]):
    """An async iterator. What it waits with ends with it, also where a loop is left early: nothing refers back."""

    def __init__(self, items: Sequence[T], timeout: float | None) -> None:
        self._left = len(items)
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._ended: Ended[T] = Ended()
        self._own: list[asyncio.Task[Any]] = []
        self._waited: list[asyncio.Future[Any]] = []
        for item in items:
            waited = self._begin(item.wait()) if isinstance(item, Handle) else item
            waited.add_done_callback(partial(self._ended.note, item))
            self._waited.append(waited)
        if timeout is not None:
            timer = self._begin(slept(max(0.0, timeout)))
            timer.add_done_callback(self._ended.note_late)
            self._waited.append(timer)

    def _begin(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self._loop.create_task(coroutine)
        self._own.append(task)
        return task

    def __aiter__(self) -> Endings[T]:
        return self

    async def __anext__(self) -> T:
        if not self._left:
            self.close()
            raise StopAsyncIteration
        await self._ended.wait(self._waited)
        if not self._ended.items:
            self.close()
            raise late(self._timeout or 0.0)
        self._left -= 1
        return self._ended.items.popleft()

    async def aclose(self) -> None:
        """See `close`."""
        self.close()

    def close(self) -> None:
        """Wait for nothing any more."""
        self._left = 0
        if asyncio._get_running_loop() is self._loop:  # else it has ended, or somebody else's thread collects garbage
            for task in self._own:
                task.cancel()

    __del__ = close


async def slept(seconds: float) -> None:
    """A durable sleep as a coroutine of its own, after which a branch is called."""
    await sleep(seconds)
