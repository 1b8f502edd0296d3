"""Threads for sync runs: made when needed, kept while idle for a moment, and never in the way of the program's end.

Not `concurrent.futures.ThreadPoolExecutor`: its threads are joined when the interpreter exits, and a durable run must
not hold the program up; it goes on at the next start.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ...background import start_thread

T = TypeVar("T")
log = logging.getLogger("perdure")

IDLE_SECONDS = 5.0


Job = Callable[[], Callable[[], object] | None]
"""May return what is to be called when its thread is free for the next job, which that may hand in."""


class Threads:
    """Runs each job at once on an idle thread, or on a new one. How many run is for `Room` to say.

    One thread is woken at a time, and wakes the next if more jobs wait when it comes: jobs that block get a thread
    each, and of many short ones the first thread does most, where else all would struggle for the interpreter's lock.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        """Held while a thread is started: whoever comes meanwhile must know whether there will be one."""
        self._jobs: deque[Job] = deque()
        self._ready = threading.Condition(self._lock)
        self._idle = 0
        """How many wait for a job."""
        self._looking = 0
        """How many are about to look for one."""
        self._is_waking = False
        """Whether one was woken, or started, and has not come yet."""
        self.count = 0

    def run(self, job: Job) -> bool:
        """Start `job`; it handles its own errors. False where no thread can be had."""
        with self._lock:
            self._jobs.append(job)
        try:
            self._wake_one()
        except RuntimeError:
            with self._lock:
                if self.count == 0 and job in self._jobs:
                    self._jobs.remove(job)
                    return False
        return True

    def _wake_one(self) -> None:
        """Have somebody come for the jobs, if nobody is about to. Raises `RuntimeError` where no thread can be had."""
        with self._starting:
            with self._lock:
                if self._is_waking or self._looking >= len(self._jobs):
                    return
                self._is_waking = True
                if self._idle:
                    self._ready.notify()
                    return
                self.count += 1
                number = self.count
            try:
                start_thread(self._work, f"{self._name}-{number}")
            except BaseException:
                with self._lock:
                    self.count -= 1
                    self._is_waking = False
                raise

    def _work(self) -> None:
        with self._lock:
            self._is_waking = False
            self._looking += 1
        while (job := self._next()) is not None:
            with suppress(RuntimeError):  # then those that there are do all
                self._wake_one()
            then = self._try(job)
            del job
            with self._lock:
                self._looking += 1
            if then is not None:
                self._try(then)

    def _next(self) -> Job | None:
        """The next job; None after a while without any."""
        with self._lock:
            self._looking -= 1
            while not self._jobs:
                self._idle += 1
                is_called = self._ready.wait(IDLE_SECONDS)
                self._idle -= 1
                self._is_waking = False
                if not is_called and not self._jobs:
                    self.count -= 1
                    return None
            return self._jobs.popleft()

    @staticmethod
    def _try(work: Callable[[], T]) -> T | None:
        try:
            return work()
        except BaseException:
            log.exception("a run's thread met an error that was not foreseen")
            return None
