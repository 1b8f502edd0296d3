"""The bounded poll: what hints have missed, or nobody could hint, is found here after a second at the latest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..background import Background
from ..news import News


class Poller:
    """A thread that makes a round every `pause()` seconds, when poked, and when something falls due."""

    def __init__(self, *, look: Callable[[], None], pause: Callable[[], float], news: News) -> None:
        self._look = look
        self._pause = pause
        self._news = news
        self._next_at = 0.0
        self._due_at: float | None = None
        self._due_lock = threading.Lock()
        self._thread = Background("poller", self._round, seconds_left=self._seconds_left)
        self.start = self._thread.start
        self.poke = self._thread.poke
        self.stop = self._thread.stop

    def expect(self, due_at: float) -> None:
        """Something falls due at this time (seconds since the epoch)."""
        with self._due_lock:
            is_sooner = self._due_at is None or due_at < self._due_at
            if is_sooner:
                self._due_at = due_at
        if is_sooner:
            self._thread.hasten()

    def _seconds_left(self) -> float:
        left = self._next_at - time.monotonic()
        due_at = self._due_at
        return left if due_at is None else min(left, due_at - time.time())

    def _round(self) -> None:
        with self._due_lock:
            is_due = self._due_at is not None and self._due_at <= time.time()
            if is_due:
                self._due_at = None
        try:
            if is_due:
                self._news.backlog()
            self._look()
        finally:
            self._next_at = time.monotonic() + self._pause()
