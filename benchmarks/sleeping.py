"""When sleepers lay down, when they were due, and when they got up: kept in memory, for both contestants the same."""

from __future__ import annotations

import os
import threading
import time

SLEEP_SECONDS = float(os.environ.get("BENCH_SLEEP_SECONDS", "2"))
"""Two, as the shape says; the test that tries every program asks for less."""


class Dormitory:
    """A workflow tells it when it goes to sleep and when it is awake again; a replay does not lie down twice."""

    def __init__(self) -> None:
        self._due_at: dict[int, float] = {}
        self._late: dict[int, float] = {}
        self._most_threads = 0

    def lie_down(self, number: int) -> None:
        """Due from now on in `SLEEP_SECONDS`. What the contestant takes before it sleeps makes the sleeper late."""
        self._due_at.setdefault(number, time.time() + SLEEP_SECONDS)
        self._most_threads = max(self._most_threads, threading.active_count())

    def get_up(self, number: int) -> None:
        """Awake."""
        self._late.setdefault(number, time.time() - self._due_at[number])

    def figures(self) -> dict[str, float]:
        """How late the last one was, and the most threads seen when somebody lay down."""
        return {"late_seconds": max(self._late.values(), default=0.0), "threads": float(self._most_threads)}
