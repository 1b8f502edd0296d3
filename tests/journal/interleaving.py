"""A small scheduler: threads that take turns line by line, in an order that the test enumerates.

Every line of the watched files is a place where the next thread may go on. Locks and conditions are replaced by ones
that tell the scheduler whom they block; a wait with a timeout never times out, so nothing is saved by a timer. When
nobody can go on and somebody has not ended, a wake-up was lost.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import Any


class Stuck(AssertionError):  # noqa: N818  # what the test finds, not an error of the program
    """Nobody can go on."""


class Scheduler:
    """Runs threads one at a time. `switches` maps the number of a step to the thread that goes on from there.

    Whoever ends a step chooses who goes on: only he runs, and a thread that chooses itself is not held up.
    """

    def __init__(self, switches: dict[int, int], files: Iterable[str]) -> None:
        self._switches = switches
        self._files = frozenset(files)
        self._turns: list[threading.Lock] = []
        self._all_done = threading.Lock()
        self._blocked: list[Callable[[], bool] | None] = []
        self._ended: list[bool] = []
        self._awaited = 0
        self._here = threading.local()
        self._is_stuck = self._is_over = False
        self.steps = 0

    def run(self, jobs: list[Callable[[], object]], *, servants: int = 0) -> None:
        """Run the jobs until all but the last `servants` have ended. Raises `Stuck`."""
        self._turns = [threading.Lock() for _ in jobs]
        self._blocked = [None for _ in jobs]
        self._ended = [False for _ in jobs]
        self._awaited = len(jobs) - servants
        for lock in [*self._turns, self._all_done]:
            lock.acquire()
        threads = [threading.Thread(target=self._work, args=job, daemon=True) for job in enumerate(jobs)]
        for thread in threads:
            thread.start()
        self._turns[self._next(0)].release()
        self._all_done.acquire()
        self._is_over = True
        for turn in self._turns:
            turn.release()
        for thread in threads:
            thread.join(10)
        if self._is_stuck:
            raise Stuck(f"after {self.steps} steps, switched at {self._switches}")

    def _next(self, current: int) -> int:
        """Who goes on; nobody, -1, where all have ended or nobody can."""
        can = [n for n, end in enumerate(self._ended) if not end and self._can_go_on(n)]
        if all(self._ended[: self._awaited]):
            return -1
        if not can:
            self._is_stuck = True
            return -1
        wanted = self._switches.get(self.steps, current)
        return wanted if wanted in can else can[0]

    def _can_go_on(self, number: int) -> bool:
        blocked = self._blocked[number]
        return blocked is None or not blocked()

    def _end_step(self, number: int) -> bool:
        """Let the next one go on; whether that is the caller."""
        self.steps += 1
        chosen = self._next(number)
        if chosen == number:
            return True
        (self._turns[chosen] if chosen >= 0 else self._all_done).release()
        return False

    def _work(self, number: int, job: Callable[[], object]) -> None:
        self._here.number = number
        self._turns[number].acquire()
        sys.settrace(self._trace)
        try:
            if not self._is_over:
                job()
        except SystemExit:
            pass
        finally:
            sys.settrace(None)
            self._ended[number] = True
            if not self._is_over:
                self._end_step(number)

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename not in self._files:
            return None
        if event == "line":
            self.pause(None)
        return self._trace

    def pause(self, blocked: Callable[[], bool] | None) -> None:
        """The calling thread lets others go on, and goes on itself once it is not blocked and it is its turn."""
        number = getattr(self._here, "number", None)
        if number is None or self._is_over:
            if self._is_over and blocked is not None:
                raise SystemExit
            return
        self._blocked[number] = blocked
        if not self._end_step(number):
            self._turns[number].acquire()
        self._blocked[number] = None
        if self._is_over:
            raise SystemExit


class ScheduledThreading:
    """Takes the place of the module `threading` in the code under test."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.get_ident = threading.get_ident
        self.current_thread = threading.current_thread

    def Lock(self) -> ScheduledLock:  # noqa: N802  # as `threading` calls it
        """As `threading.Lock`."""
        return ScheduledLock(self._scheduler)

    def RLock(self) -> ScheduledRLock:  # noqa: N802  # as `threading` calls it
        """As `threading.RLock`."""
        return ScheduledRLock(self._scheduler)

    def wait_while(self, is_blocked: Callable[[], bool]) -> None:
        """For what looks again and again: let others go on until it is worth it."""
        self._scheduler.pause(is_blocked)

    def Condition(self, lock: ScheduledLock) -> ScheduledCondition:  # noqa: N802  # as `threading` calls it
        """As `threading.Condition`."""
        return ScheduledCondition(self._scheduler, lock)


class ScheduledLock:
    """A lock that tells the scheduler who waits for it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.is_held = False

    def acquire(self, blocking: bool = True) -> bool:
        """As `Lock.acquire`."""
        while self.is_held:
            if not blocking:
                return False
            self._scheduler.pause(lambda: self.is_held)
        self.is_held = True
        return True

    def release(self) -> None:
        """As `Lock.release`."""
        self.is_held = False

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class ScheduledRLock(ScheduledLock):
    """A lock that its owner may take again."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._owner = self._depth = 0

    def acquire(self, blocking: bool = True) -> bool:
        """As `RLock.acquire`."""
        if not self._is_owned() and not super().acquire(blocking):
            return False
        self._owner = threading.get_ident()
        self._depth += 1
        return True

    def release(self) -> None:
        """As `RLock.release`."""
        self._depth -= 1
        if not self._depth:
            self._owner = 0
            super().release()

    def _is_owned(self) -> bool:
        return self._owner == threading.get_ident()


class ScheduledCondition(ScheduledLock):
    """A condition whose waits have no timeout."""

    def __init__(self, scheduler: Scheduler, lock: ScheduledLock) -> None:
        super().__init__(scheduler)
        self._waiting: list[list[bool]] = []

    def wait(self, timeout: float | None = None) -> bool:
        """As `Condition.wait`, for ever."""
        told: list[bool] = []
        self._waiting.append(told)
        self.release()
        self._scheduler.pause(lambda: not told)
        self.acquire()
        return True

    def notify_all(self) -> None:
        """As `Condition.notify_all`."""
        for told in self._waiting:
            told.append(True)
        self._waiting.clear()
