"""Waking futures on event loops from other threads: one hop for all that a commit wakes, not one each."""

from __future__ import annotations

import asyncio
import threading
from typing import Any


class Wakes:
    """Collects what is to be woken on a loop until the loop comes to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}

    def wake(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Any = None) -> None:
        """Give the future its result, on its loop. A loop that is closed has nobody left to wake."""
        with self._lock:
            waiting = self._waiting.get(loop)
            if waiting is not None:
                waiting.append((future, result))
                return
            self._waiting[loop] = [(future, result)]
        try:
            loop.call_soon_threadsafe(self._flush, loop)
        except RuntimeError:
            with self._lock:
                self._waiting.pop(loop, None)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            waiting = self._waiting.pop(loop, ())
        for future, result in waiting:
            if not future.done():
                future.set_result(result)
