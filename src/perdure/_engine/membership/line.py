"""A worker's line to the database and to the other workers: one thread, with a session of its own.

It holds the lock by which others see that this process lives, renews the lease, looks at the locks of others, and
passes on what processes say to each other of their commits. So a busy program loses no healthy worker, and a dead one
is seen within half a second. What it sees is evidence; who takes over is decided in one statement (protocol rule 10).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from ...errors import StoreError
from ...stores.protocol import Hint, Session
from ...typing import RunId
from ..background import start_thread
from ..trouble import Trouble
from .witness import LockWitness

log = logging.getLogger("perdure")

LOOK_SECONDS: Final = 0.25
"""Between two looks at lock files, which cost no statement."""
LOOK_AT_SESSIONS_SECONDS: Final = 0.3
"""The same for the locks of sessions; longer where there are many workers, so that all together ask no more often."""
LOOK_PER_WORKER_SECONDS: Final = 0.01
LOOK_ALONE_SECONDS: Final = 1.0
"""The same where nobody else is there: whoever joins is seen soon enough."""
SAY_SECONDS: Final = 0.01
"""Between two hints, however many commits they are about."""
AGAIN_SECONDS: Final = 0.25
"""After the session broke: long enough for no storm, and shorter than what others wait before they believe it."""


class Line:
    """`renew` is the heartbeat; it returns the seconds until the next one is due. The others are told what is seen and
    heard; none of them may wait for the database.
    """

    def __init__(
        self,
        session: Session,
        *,
        worker_id: Callable[[], str],
        renew: Callable[[], float],
        free_files: Callable[[], Collection[str]],
        on_dead: Callable[[Collection[str]], None],
        on_hint: Callable[[Hint], None],
    ) -> None:
        self._session = session
        self._worker_id = worker_id
        self._renew = renew
        self._free_files = free_files
        self._on_dead = on_dead
        self._on_hint = on_hint
        self._witness = LockWitness()
        self._trouble = Trouble("the session that shows that this worker lives is broken")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._renew_at = self._files_at = self._sessions_at = self._say_at = 0.0
        self._lock = threading.Lock()
        self._queues: set[str] = set()
        self._ended: set[RunId] = set()
        self._said: set[RunId] = set()
        self._is_vague = False
        self._has_more = threading.Event()
        """Whether there is something to say."""

    def start(self, renew_in: float, at_end: Callable[[], None]) -> None:
        """Take the lock, and start the thread; the lease was just taken. `at_end` is called on it when it is stopped.

        The first session is opened here: a program that forks once it has launched meets no thread that connects.
        """
        with suppress(StoreError):  # the thread tries again
            self._session.hold(self._worker_id())
        self._renew_at = time.monotonic() + renew_in
        self._thread = start_thread(lambda: self._watch(at_end), "perdure-lease")

    def hold_soon(self) -> None:
        """The worker has another id: until its lock is held, its lease alone shows that it lives, and when it dies."""
        self._session.poke()

    @property
    def is_started(self) -> bool:
        """Whether there is a thread that `stop` ends."""
        return self._thread is not None

    def stop(self, seconds: float) -> bool:
        """End the thread, after `at_end`; False where that is under way after so long."""
        self._stop.set()
        self._session.poke()
        if self._thread is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def say(
        self,
        queues: Collection[str] = (),
        ended: Collection[RunId] = (),
        *,
        said: Collection[RunId] = (),
        is_vague: bool = False,
    ) -> None:
        """Tell the other processes soon, together with what else there is to say. Any thread."""
        with self._lock:
            self._queues.update(queues)
            self._ended.update(ended)
            self._said.update(said)
            self._is_vague = self._is_vague or is_vague
            is_first = not self._has_more.is_set()
            self._has_more.set()
        if is_first:
            self._session.poke()

    def _watch(self, at_end: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                self._step()
            except StoreError as error:
                self._trouble.met(error)
                self._stop.wait(AGAIN_SECONDS)
            except Exception:
                log.exception("the heartbeat failed; it goes on")
                self._stop.wait(AGAIN_SECONDS)
        at_end()
        self._session.close()

    def _step(self) -> None:
        """What is due now, and then a wait for what others say."""
        if time.monotonic() >= self._renew_at:
            self._renew_at = time.monotonic() + self._renew()
        self._session.hold(self._worker_id())
        if time.monotonic() >= self._files_at:
            self._look_at_files()
        if time.monotonic() >= self._sessions_at:
            self._look_at_sessions()
        self._say()
        self._trouble.over()
        hints = self._session.wait(self._seconds_to_wait())
        for hint in hints:
            self._on_hint(hint)
        if hints:
            self._rest()

    def _rest(self) -> None:
        """However much others say, it is heard a hundred times a second; what there is to say here does not wait for
        that: somebody may wait for the end of what was heard of just now.
        """
        until = time.monotonic() + SAY_SECONDS
        while not self._stop.is_set() and (now := time.monotonic()) < until:
            if self._has_more.is_set():
                self._stop.wait(min(until, self._say_at) - now)
                self._say()
            else:
                self._has_more.wait(until - now)

    def _look_at_files(self) -> None:
        self._files_at = time.monotonic() + LOOK_SECONDS
        self._tell(self._free_files())

    def _look_at_sessions(self) -> None:
        asked_at = time.monotonic()
        locks = self._session.locks()
        answered_at = time.monotonic()
        if locks is None:
            self._sessions_at = math.inf
            return
        count = len(locks.held) + len(locks.free)
        pause = max(LOOK_AT_SESSIONS_SECONDS, LOOK_PER_WORKER_SECONDS * count) if count > 1 else LOOK_ALONE_SECONDS
        self._sessions_at = answered_at + pause
        self._tell(self._witness.look(locks, asked_at=asked_at, answered_at=answered_at))

    def _tell(self, dead: Collection[str]) -> None:
        others = [worker_id for worker_id in dead if worker_id != self._worker_id()]
        if others:
            self._on_dead(others)

    def _say(self) -> None:
        if time.monotonic() < self._say_at:
            return
        with self._lock:
            hint = Hint(frozenset(self._queues), frozenset(self._ended), self._is_vague, frozenset(self._said))
            self._queues.clear()
            self._ended.clear()
            self._said.clear()
            self._is_vague = False
            self._has_more.clear()
        if hint != Hint():
            self._session.say(hint)
            self._say_at = time.monotonic() + SAY_SECONDS

    def _seconds_to_wait(self) -> float:
        say_at = self._say_at if self._has_more.is_set() else math.inf
        return max(0.0, min(self._renew_at, self._files_at, self._sessions_at, say_at) - time.monotonic())
