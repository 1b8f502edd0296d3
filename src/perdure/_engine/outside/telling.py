"""What a client tells the workers of its commits: at most a hundred times a second, and no caller waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from ...errors import StoreError
from ...stores.protocol import Hint, Session
from ...typing import RunId

SAY_SECONDS: Final = 0.01


class Telling:
    """On a thread of the client's while there is something to say. A hint that is lost costs a poll."""

    def __init__(self, session: Session, run: Callable[[Callable[[], None]], bool]) -> None:
        self._session = session
        self._run = run
        self._lock = threading.Condition(threading.Lock())
        self._queues: set[str] = set()
        self._ended: set[RunId] = set()
        self._is_vague = self._is_telling = self._is_closed = False

    def say(self, queues: Collection[str] = (), *, ended: Collection[RunId] = (), is_vague: bool = False) -> None:
        """There are runs in these queues; who knows how these have ended is to ask again; or something has changed."""
        with self._lock:
            self._queues.update(queues)
            self._ended.update(ended)
            self._is_vague = self._is_vague or is_vague
            if self._is_telling or self._is_closed or not (self._queues or self._ended or self._is_vague):
                return
            self._is_telling = True
        if not self._run(self._tell):
            self._end()

    def close(self, seconds: float) -> None:
        """Say what there is to say, for so long, and nothing more."""
        with self._lock:
            self._is_closed = True
            self._lock.wait_for(lambda: not self._is_telling, seconds)

    def _end(self) -> None:
        with self._lock:
            self._is_telling = False
            self._lock.notify_all()

    def _tell(self) -> None:
        while True:
            with self._lock:
                hint = Hint(frozenset(self._queues), frozenset(self._ended), self._is_vague)
                self._queues.clear()
                self._ended.clear()
                self._is_vague = False
                if hint == Hint():
                    self._is_telling = False
                    self._lock.notify_all()
                    return
            with suppress(StoreError):
                self._session.say(hint)
            time.sleep(SAY_SECONDS)
