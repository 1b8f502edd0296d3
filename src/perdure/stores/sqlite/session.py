"""What a worker of a SQLite file has instead of a session: liveness is the file lock's, and news is the file's own word
that somebody has committed.

`PRAGMA data_version` costs some microseconds and needs no registration, socket or directory, over containers too.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from ..hints import VAGUE
from ..protocol import Hint
from .connections import Database

LOOK_SECONDS: Final = 0.02
"""Between two looks: half a percent of a core, and ten milliseconds late in the middle."""
LOOK_SHARE: Final = 0.02
"""And no more of the time than this goes into them: beside busy threads a look waits for the interpreter's lock for
longer than it lasts, and holds the connection that writes meanwhile.
"""


class SqliteSession:
    """`Session` of a file: no lock, and every hint is vague."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_poked = threading.Event()
        self._version = 0

    def hold(self, worker_id: str) -> None:
        """Nothing to do: see `FileLock` in the engine."""

    def listen(self) -> None:
        """Nothing to do: the file itself tells."""

    def locks(self) -> None:
        return None

    def say(self, hint: Hint) -> None:
        """Nothing to do: the commit itself is heard."""

    def wait(self, seconds: float) -> list[Hint]:
        deadline = time.monotonic() + seconds
        while True:
            asked_at = time.monotonic()
            if self._has_news():
                return [VAGUE]
            now = time.monotonic()
            left = deadline - now
            if left <= 0.0 or self._is_poked.wait(min(left, max(LOOK_SECONDS, (now - asked_at) / LOOK_SHARE))):
                self._is_poked.clear()
                return []

    def _has_news(self) -> bool:
        """Asked of the connection that writes, whose own commits do not count; never while it does."""
        turn = self._database.turn
        if not turn.lock.acquire(blocking=False):
            return False
        try:
            version = turn.version()
        finally:
            turn.lock.release()
        before, self._version = self._version, self._version if version is None else version
        return self._version != before  # the first time, too: what was committed before is to be looked for

    def poke(self) -> None:
        self._is_poked.set()

    def close(self) -> None:
        """Nothing is open."""
