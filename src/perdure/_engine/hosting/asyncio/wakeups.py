"""Calling and waking on event loops from other threads: one hop for all that a commit wakes, not one each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any

Call = tuple[Callable[..., object], tuple[Any, ...]]


class Wakes:
    """Collects what is to be called on a loop until the loop comes to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.AbstractEventLoop, list[Call]] = {}

    def wake(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Any = None) -> None:
        """Give the future its result, on its loop. A loop that is closed has nobody left to wake."""
        if asyncio._get_running_loop() is loop:
            finish(future, result)
            return
        with suppress(RuntimeError):
            self.call(loop, finish, future, result)

    def call(self, loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> None:
        """Call a function that raises nothing on the loop. Raises `RuntimeError` where that is closed."""
        if asyncio._get_running_loop() is loop:
            loop.call_soon(function, *args, context=Context())
            return
        with self._lock:
            waiting = self._waiting.get(loop)
            if waiting is not None:
                waiting.append((function, args))
                return
            self._waiting[loop] = [(function, args)]
        try:
            loop.call_soon_threadsafe(self._flush, loop, context=Context())
        except RuntimeError:
            with self._lock:
                self._waiting.pop(loop, None)
            raise

    def take_stranded(self) -> list[Call]:
        """What was to be called on loops that have been closed before they came to it."""
        with self._lock:
            closed = [loop for loop in self._waiting if loop.is_closed()]
            return [call for loop in closed for call in self._waiting.pop(loop)]

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            waiting = self._waiting.pop(loop, ())
        for function, args in waiting:
            function(*args)


def finish(future: asyncio.Future[Any], result: Any = None) -> None:
    """Give the future its result, if nobody waits in vain."""
    if not future.done():
        future.set_result(result)
