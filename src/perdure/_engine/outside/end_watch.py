"""Looks for the ends of runs that somebody waits for, in a process that executes none: soon at first, then ever less
often, up to the poll's distance. A thread that begins with the first wait, and asks nothing while nobody waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ...errors import StoreError
from ..background import start_thread
from ..trouble import Trouble
from ..watching.awaited_ends import Ends

log = logging.getLogger("perdure")

FIRST_SECONDS = 0.005
GROWTH = 1.5


class EndWatch:
    """One for each client. `ends` is asked for when the first wait begins: each knows the other."""

    def __init__(self, ends: Callable[[], Ends], poll_seconds: float) -> None:
        self._ends = ends
        self._poll_seconds = poll_seconds
        self._called = threading.Condition()
        self._is_called = self._is_closed = False
        self._thread: threading.Thread | None = None
        self._trouble = Trouble("the ends of runs cannot be read")

    def call(self) -> None:
        """Somebody waits for a run from now on."""
        with self._called:
            self._is_called = True
            if self._thread is None and not self._is_closed:
                self._thread = start_thread(self._watch, "perdure-client")
            self._called.notify()

    def _watch(self) -> None:
        pause: float | None = 0.0
        while True:
            with self._called:
                if not (self._is_called or self._is_closed):
                    self._called.wait(pause)
                if self._is_closed:
                    return
                pause = FIRST_SECONDS if self._is_called or pause is None else min(pause * GROWTH, self._poll_seconds)
                self._is_called = False
            self._look()
            if not self._ends().is_waited_for:
                pause = None

    def _look(self) -> None:
        try:
            self._ends().poll()
            self._ends().poll_stuck()
        except StoreError as error:
            self._trouble.met(error)
        except Exception:
            log.exception("a look for the ends of runs failed; it goes on")
        else:
            self._trouble.over()

    def close(self) -> None:
        """End the thread."""
        with self._called:
            self._is_closed = True
            self._called.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)
