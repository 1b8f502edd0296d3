"""A thread that does one thing again and again: when poked, and when it is time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("perdure")


def start_thread(work: Callable[[], object], name: str) -> threading.Thread:
    """A daemon thread, started. Raises `RuntimeError` where none can be had: the interpreter ends, or there are too
    many.
    """
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def never() -> None:
    """Only when poked; and at the end nothing."""


AGAIN_SECONDS = 0.1
"""After a failure that nobody has foreseen: what fails always is not to take all of a core."""


class Background:
    """Calls `tick` on a thread of its own. An error that it does not handle itself is logged, and it goes on.

    `seconds_left` says how long it is until the next tick, None for ever; it is asked before each sleep.
    """

    def __init__(
        self,
        name: str,
        tick: Callable[[], object],
        *,
        seconds_left: Callable[[], float | None] = never,
    ) -> None:
        self.name = name
        self._tick = tick
        self._seconds_left = seconds_left
        self._changed = threading.Condition()
        self._is_poked = False
        self._thread: threading.Thread | None = None
        self.is_stopping = False

    def start(self) -> None:
        """Start the thread."""
        self._thread = start_thread(self._run, f"perdure-{self.name}")

    @property
    def is_started(self) -> bool:
        """Whether it ever had a thread."""
        return self._thread is not None

    def poke(self) -> None:
        """Tick now; and once more where it is about to end a tick."""
        if not self._is_poked:
            with self._changed:
                self._is_poked = True
                self._changed.notify()

    def hasten(self) -> None:
        """It may be time sooner than was said: ask again."""
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while self._sleep():
            try:
                self._tick()
            except Exception:
                log.exception("the thread %s failed; it goes on", self.name)
                with self._changed:
                    self._changed.wait(AGAIN_SECONDS)

    def _sleep(self) -> bool:
        """Until it is time; False where there will be no more ticks."""
        with self._changed:
            while not (self._is_poked or self.is_stopping):
                left = self._seconds_left()
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            self._is_poked = False
            return not self.is_stopping

    def stop(self, seconds: float) -> bool:
        """No tick begins any more; waits so long for one that is under way. Whether the thread has ended."""
        self.is_stopping = True
        self.hasten()
        if self._thread is None or self._thread is threading.current_thread():
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """In a forked child: there is no such thread, and another one may have been in the lock."""
        self.is_stopping = True
        self._changed = threading.Condition()
