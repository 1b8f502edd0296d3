"""One thing for each event loop, for no longer than the loop is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary, ref

T = TypeVar("T")


class PerLoop(Generic[T]):
    """A weak dictionary that remembers what it was asked for last: mostly there is one loop, and every run asks."""

    def __init__(self) -> None:
        self._all: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()
        self._last: tuple[Callable[[], asyncio.AbstractEventLoop | None], T] | None = None
        """One tuple, since several threads may ask, each for its loop."""

    def get(self, loop: asyncio.AbstractEventLoop) -> T | None:
        """The loop's own, or None."""
        last = self._last
        if last is not None and last[0]() is loop:
            return last[1]
        found = self._all.get(loop)
        if found is not None:
            self._last = ref(loop), found
        return found

    def set(self, loop: asyncio.AbstractEventLoop, value: T) -> T:
        """Give the loop its own."""
        self._all[loop] = value
        self._last = ref(loop), value
        return value
