"""Threads for sync runs: made when needed, kept while idle for a moment, and never in the way of the program's end.

Not `concurrent.futures.ThreadPoolExecutor`: its threads are joined when the interpreter exits, and a durable run must
not hold the program up; it goes on at the next start.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

log = logging.getLogger("perdure")

IDLE_SECONDS = 5.0


def start_thread(work: Callable[[], object], name: str) -> threading.Thread:
    """A daemon thread, started. Raises `RuntimeError` where none can be had: the interpreter ends, or there are too
    many.
    """
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


class Threads:
    """Runs each job at once on an idle thread, or on a new one. How many run is the dispatcher's business."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._jobs: deque[Callable[[], object]] = deque()
        self._idle = 0
        self._ready = threading.Condition(self._lock)
        self.count = 0

    def run(self, job: Callable[[], object]) -> bool:
        """Start `job`; it handles its own errors. False where no thread can be had."""
        with self._lock:
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._ready.notify()
                return True
            self.count += 1
            number = self.count
        try:
            start_thread(self._work, f"{self._name}-{number}")
        except RuntimeError:
            with self._lock:
                self.count -= 1
                if job in self._jobs:  # else an older thread has found it
                    self._jobs.remove(job)
                    return False
        return True

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                while not self._jobs:
                    if not self._ready.wait(IDLE_SECONDS) and not self._jobs:
                        self._idle -= 1
                        self.count -= 1
                        return
                self._idle -= 1
                job = self._jobs.popleft()
            try:
                job()
            except BaseException:
                log.exception("a run's thread ended with an error that was not foreseen")
            del job
