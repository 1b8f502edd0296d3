"""The bounded poll: what hints have missed, or nobody could hint, is found here after a second at the latest.

One statement per round: whether the mailbox has something, runs that other processes made ready, the next due time.
A second one only while somebody waits for a run of another process.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from ...errors import StoreError
from ..duties.recovery import AGAIN_SECONDS
from ..hosting.threads.pool import start_thread
from ..trouble import Trouble

if TYPE_CHECKING:
    from ..runtime import Runtime

log = logging.getLogger("perdure")


class Poller:
    """A thread that looks every `poll_seconds`, when called, and when something falls due."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._wake = threading.Condition()
        self._is_called = False
        self._is_stopping = False
        self._due_at: float | None = None
        self._trouble = Trouble("the poll gets no answer")
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = start_thread(self._poll, "perdure-poller")

    def call(self) -> None:
        """Look now."""
        with self._wake:
            self._is_called = True
            self._wake.notify()

    def expect(self, due_at: float) -> None:
        """Something falls due at this time (seconds since the epoch)."""
        with self._wake:
            if self._due_at is None or due_at < self._due_at:
                self._due_at = due_at
                self._wake.notify()

    def _poll(self) -> None:
        next_at = time.monotonic()
        while True:
            with self._wake:
                while not (self._is_called or self._is_stopping):
                    now = time.time()
                    if self._due_at is not None and self._due_at <= now:
                        break
                    wait = next_at - time.monotonic()
                    if wait <= 0:
                        break
                    self._wake.wait(wait if self._due_at is None else min(wait, self._due_at - now))
                if self._is_stopping:
                    return
                is_due = self._due_at is not None and self._due_at <= time.time()
                self._is_called = False
                if is_due:
                    self._due_at = None
            if is_due:
                self._runtime.dispatcher.expect_backlog()
            self._look()
            pause = self._runtime.options.poll_seconds
            if self._runtime.recovery.is_hindered:
                pause = min(pause, AGAIN_SECONDS)
            next_at = time.monotonic() + pause

    def _look(self) -> None:
        """A round. What the database refuses to one question keeps no other from being asked."""
        error: StoreError | None = None
        runtime = self._runtime
        for look in (
            self._feel_pulse,
            runtime.ends.poll,
            runtime.ends.poll_stuck,
            runtime.uncollected.look_for_orphans,
            runtime.execution.look_for_stranded,
            runtime.dispatcher.return_late,
            runtime.recovery.look,
        ):
            try:
                look()
            except StoreError as failure:
                error = error or failure
            except Exception:
                log.exception("the poll failed; it goes on")
        if error is None:
            self._trouble.over()
        else:
            self._trouble.met(error)

    def _feel_pulse(self) -> None:
        runtime = self._runtime
        pulse = runtime.store.pulse(runtime.worker.worker_id, runtime.dispatcher.queues(), runtime.definitions.names())
        if pulse.has_mail:
            runtime.mailbox.read()
        if pulse.has_claimable:
            runtime.dispatcher.expect_backlog()
        runtime.dispatcher.note_last_attempts(wait=pulse.has_last_attempts)
        if pulse.has_last_attempts:
            runtime.execution.park_if_all_wait()
        if pulse.next_due_at is not None:
            late = time.time() - pulse.next_due_at
            # Our clock may say that it is due, the database's, which decides, not yet: look again, ever more rarely.
            again = time.time() + min(max(late, 0.001), runtime.options.poll_seconds)
            self.expect(pulse.next_due_at if late < 0 else again)

    def stop(self, seconds: float) -> None:
        """End the thread; waits so long for a round that is under way."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)
