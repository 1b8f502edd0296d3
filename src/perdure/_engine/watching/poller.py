"""The bounded poll: what hints have missed, or nobody could hint, is found here after a second at the latest."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from ..background import Background
from ..news import News


class Poller:
    """A thread that makes a round every `pause()` seconds, when poked, and at the times that it was told."""

    def __init__(self, *, look: Callable[[], None], pause: Callable[[], float], news: News) -> None:
        self._look = look
        self._pause = pause
        self._news = news
        self._next_at = 0.0
        self._due_at = self._look_at = math.inf
        self._due_lock = threading.Lock()
        self._thread = Background("poller", self._round, seconds_left=self._seconds_left)
        self.start = self._thread.start
        self.poke = self._thread.poke
        self.stop = self._thread.stop

    def expect(self, due_at: float) -> None:
        """Something is claimable from this time on (seconds since the epoch)."""
        with self._due_lock:
            is_sooner = due_at < self._due_at
            self._due_at = min(due_at, self._due_at)
        if is_sooner:
            self._thread.hasten()

    def look_at(self, moment: float) -> None:
        """The round that begins then (seconds since the epoch), or soon after, has something to see."""
        with self._due_lock:
            is_sooner = moment < self._look_at
            self._look_at = min(moment, self._look_at)
        if is_sooner:
            self._thread.hasten()

    def _seconds_left(self) -> float:
        return min(self._next_at - time.monotonic(), min(self._due_at, self._look_at) - time.time())

    def _round(self) -> None:
        with self._due_lock:
            now = time.time()
            is_due = self._due_at <= now
            if is_due:
                self._due_at = math.inf
            if self._look_at <= now:
                self._look_at = math.inf
        try:
            if is_due:
                self._news.backlog()
            self._look()
        finally:
            self._next_at = time.monotonic() + self._pause()
