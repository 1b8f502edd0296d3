"""Looks for the ends of runs that somebody waits for, in a process that executes none: when a worker says so; soon at
first, then ever less often, up to the poll's distance, where none does. A thread that begins with the first wait, and
asks nothing while nobody waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ...errors import StoreError
from ...stores.protocol import Hint, Session
from ..background import start_thread
from ..trouble import Trouble
from ..watching.awaited_ends import Ends

log = logging.getLogger("perdure")

FIRST_SECONDS = 0.005
GROWTH = 1.5
AGAIN_SECONDS = 0.25
"""After the session broke."""
IDLE_SECONDS = 3600.0
"""While nobody waits; whoever begins to does not wait for it."""


class EndWatch:
    """One for each client. `ends` is asked for when the first wait begins: each knows the other."""

    def __init__(
        self, ends: Callable[[], Ends], session: Session, poll_seconds: float, on_hint: Callable[[Hint], None]
    ) -> None:
        self._ends = ends
        self._on_hint = on_hint
        self._session = session
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._is_called = self._is_closed = False
        self._thread: threading.Thread | None = None
        self._trouble = Trouble("the ends of runs cannot be read")

    def call(self) -> None:
        """Somebody waits for a run from now on."""
        with self._lock:
            self._is_called = True
            if self._thread is None and not self._is_closed:
                self._thread = start_thread(self._watch, "perdure-client")
        self._session.poke()

    def _watch(self) -> None:
        pause = FIRST_SECONDS
        while not self._is_closed:
            is_called, self._is_called = self._is_called, False
            if is_called:
                pause = FIRST_SECONDS
            self._look()
            is_waited_for = self._ends().is_waited_for
            self._hear(pause if is_waited_for else IDLE_SECONDS)
            pause = min(pause * GROWTH, self._poll_seconds)

    def _hear(self, seconds: float) -> None:
        """Wait so long, or until somebody waits, or what is waited for may have ended."""
        deadline = time.monotonic() + seconds
        while not (self._is_called or self._is_closed) and (left := deadline - time.monotonic()) > 0:
            try:
                self._session.listen()
                hints = self._session.wait(left)
            except StoreError as error:
                self._trouble.met(error)
                time.sleep(AGAIN_SECONDS)
                continue
            for hint in hints:
                self._on_hint(hint)
            for hint in hints:
                self._ends().unlearn(hint.ended)
            if any(hint.is_vague or self._ends().waits_for_any(hint.ended) for hint in hints):
                return

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
        with self._lock:
            self._is_closed = True
        self._session.poke()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)
        self._session.close()
