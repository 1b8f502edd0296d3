"""`map` on an event loop: each child is waited for by a task, as `as_completed` does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from .._core.flow import Outcome, adrive
from .._core.flows.child import start_child
from .._core.lineage import Branch
from .._core.window import Window
from .app import runtime_of
from .endings import Ended
from .giving_up import acancel_all, check_ended
from .handle import Handle
from .options import Submission
from .starting import astart, bound, definition_of, make_child_entry


class AsyncMap:
    """An async iterator. What it waits with ends with it, also where a loop is left early."""

    def __init__(
        self,
        fn: Callable[..., Any],
        submission: Submission,
        window: Window,
        branch: Branch | None,
        give: Callable[[Any, Any, Any], Any],
    ) -> None:
        self._fn = fn
        self._submission = submission
        self._window = window
        self._inside = None if branch is None else branch.fork("map", is_async=True)
        self._give = give
        self._loop = asyncio.get_running_loop()
        self._ended: Ended[Handle[Any]] = Ended()
        self._places: dict[Handle[Any], int] = {}
        self._waiting: dict[Handle[Any], asyncio.Task[Any]] = {}
        self._is_over = False

    def __aiter__(self) -> AsyncMap:
        return self

    async def __anext__(self) -> Any:
        window = self._window
        try:
            while not self._is_over:
                await self._begin(window.take_items())
                if (found := window.take_next()) is not None:
                    return self._give(found[0], found[1].value, found[1].error)
                if not window.open:
                    break
                if window.end(*await self._next()):
                    window.open.clear()
                    await self._cancel()
                    window.tally.check()
            if not self._is_over:
                window.tally.check(is_all=True)
        except BaseException:
            self.close()
            raise
        self.close()
        raise StopAsyncIteration

    async def _begin(self, taken: list[tuple[int, Any]]) -> None:
        if not taken:
            return
        if self._inside is None:
            starts = (astart(self._fn, ((item,), {}), self._submission) for _, item in taken)
            handles = await asyncio.gather(*starts)
        else:
            handles = [await self._start_child(self._inside, item) for _, item in taken]
        for (place, _), handle in zip(taken, handles, strict=True):
            self._places[handle] = place
            task = self._waiting[handle] = self._loop.create_task(handle.wait())
            task.add_done_callback(partial(self._ended.note, handle))

    async def _start_child(self, inside: Branch, item: Any) -> Handle[Any]:
        arguments = bound(self._fn, ((item,), {}))
        entry = make_child_entry(inside, definition_of(self._fn), arguments, self._submission)
        return Handle(runtime_of(inside.run), await adrive(start_child(inside.run, entry), inside.run))

    async def _next(self) -> tuple[int, Outcome]:
        await self._ended.wait(list(self._waiting.values()) if not self._ended.items else ())
        handle = self._ended.items.popleft()
        task, place = self._waiting.pop(handle), self._places.pop(handle)
        error = task.exception()
        if self._inside is None:
            check_ended(error)
        return place, Outcome(error=error) if error is not None else Outcome(task.result())

    async def _cancel(self) -> None:
        rest = list(self._waiting)
        self._stop_waiting()
        await acancel_all(rest, self._inside)

    async def aclose(self) -> None:
        """See `close`."""
        self.close()

    def close(self) -> None:
        """Wait for nothing any more."""
        self._is_over = True
        self._stop_waiting()
        self._places.clear()
        self._ended = Ended()  # an interruption in it has frames that hold this

    __del__ = close

    def _stop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        if asyncio._get_running_loop() is self._loop:  # else it has ended, or somebody else's thread collects garbage
            for task in waiting.values():
                task.cancel()
