"""The journal's thread: it commits when called, and what nobody waits for when nobody else has."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from ..background import start_thread
from .lanes import Ring

LAGGARD_SECONDS = 0.02
"""How often it looks for entries that nobody waits for, while there are any."""
MOMENT_SECONDS = 0.00001
"""Long enough for another thread to take the interpreter's lock that is given away."""
LOOKS_WHEN_IDLE = 8
"""After so many looks without a new entry it sleeps."""


class Committing(Protocol):
    """What the writer needs of the journal."""

    ring: Ring
    batches: int

    def commit_all(self) -> None:
        """Commit until nothing is left or somebody else goes on with it."""

    @property
    def has_work(self) -> bool:
        """Whether anything is not committed yet."""

    @property
    def pushed(self) -> int:
        """How many entries were ever handed in."""


class Writer:
    """Calls `journal.commit_all` on a thread of its own."""

    def __init__(self, journal: Committing) -> None:
        self._journal = journal
        self._wake = threading.Condition(threading.Lock())
        self._is_called = False
        self._is_resting = False
        self.expects_laggards = False
        self.stop_at: float | None = None
        """When the journal gives up what the database does not answer (monotonic); None while it works."""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = start_thread(self._write, "perdure-journal")

    def call(self, *, gives_way: bool = False) -> None:
        """There is something to commit and nobody else will. `gives_way`: a caller that goes on would keep the
        interpreter's lock, and the thread waiting, for 5 ms; so it rests for a moment.
        """
        if not self._is_called:
            with self._wake:
                self._is_called = True
                self._wake.notify_all()
            if gives_way and self._is_resting:
                time.sleep(MOMENT_SECONDS)

    def expect_laggards(self) -> None:
        """There is something that perhaps nobody waits for."""
        with self._wake:
            self.expects_laggards = True
            self._wake.notify_all()

    def pause(self, seconds: float) -> None:
        """Sleep, on the thread of whoever commits, and wake early at the end."""
        with self._wake:
            self._wake.wait(seconds)

    def stop(self, deadline: float) -> None:
        """Commit what waits, for as long as the database answers before `deadline` (monotonic), and end the thread."""
        with self._wake:
            self.stop_at = deadline
            self._is_called = True
            self._wake.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(0.1, deadline - time.monotonic() + 1.0))

    def _write(self) -> None:
        """Commit when called; and what nobody waits for, once no batch went by between two looks."""
        journal = self._journal
        batches, pushed, looks = 0, 0, 0
        while True:
            with self._wake:
                if not self._is_called:
                    if self.stop_at is not None and not journal.has_work:
                        return
                    self._is_resting = True
                    self._wake.wait(self._nap())
                    self._is_resting = False
                is_called, self._is_called = self._is_called, False
            if is_called or journal.ring.is_due or (batches == journal.batches and journal.has_work):
                journal.commit_all()
            elif pushed == journal.pushed:
                looks += 1
                if looks == LOOKS_WHEN_IDLE:
                    looks, self.expects_laggards = 0, False
                    if journal.has_work:  # handed in before its owner could see that nobody looks any more
                        self.expects_laggards = True
            else:
                looks = 0
            batches, pushed = journal.batches, journal.pushed

    def _nap(self) -> float | None:
        """How long it may sleep where nobody calls."""
        due = self._journal.ring.seconds_until_due()
        if not self.expects_laggards:
            return due
        return LAGGARD_SECONDS if due is None else min(LAGGARD_SECONDS, due)
