"""When the WAL is copied into the database file, and how that is kept apart from writers.

SQLite 3.7.0 to 3.51.2 can corrupt the database when one connection checkpoints just while another one's commit starts
the WAL anew ("WAL-reset bug", fixed in 3.51.3, 3.50.7 and 3.44.6). Below the fix a checkpoint here runs while a second
connection of the same thread holds the database's write lock: no commit, of any process, ours or a stranger's tool,
can happen beside it. A lock file of our own would bind only those who know of it, would cost every commit two system
calls, and would starve the checkpoint while writers queue; the write lock does neither.
SQLite's own checkpoint on closing the last connection is safe: it runs under an exclusive lock of the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..._entries import Entry, entry_bytes
from ...errors import StoreUnavailableError
from .connections import Database

WAL_LIMIT_BYTES: Final = 4 * 1024 * 1024
"""A checkpoint when the WAL is longer; `limit_wal` cuts the file back to the same length."""

PAGES_PER_COMMIT: Final = 4
LOOK_PAGES: Final = 64
"""What a commit takes beside its entries; after how many pages the WAL is looked at."""
PAGE_BYTES: Final = 4096

_FIXED: Final = ((3, 44, 6), (3, 50, 7))


def is_wal_reset_fixed(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite may checkpoint beside writers."""
    return version >= (3, 51, 3) or any(fix <= version < (fix[0], fix[1] + 1, 0) for fix in _FIXED)


class Checkpointer:
    """Looks at the WAL's length after some commits of the journal, and copies it now and then."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wal = Path(f"{database.path}-wal")
        self._threshold = WAL_LIMIT_BYTES
        self._unseen_pages = 0
        self.is_due = False
        """Whether `checkpoint` has something to do."""
        self.runs_alone = not is_wal_reset_fixed()

    def note_commit(self, entries: Sequence[Entry]) -> None:
        """A commit of these is made: look at the WAL, if that may have grown by enough. Not every time: the question
        gives up the interpreter's lock, which beside a busy thread costs ten commits.
        """
        self._unseen_pages += PAGES_PER_COMMIT + sum(1 + entry_bytes(entry) // PAGE_BYTES for entry in entries)
        if self._unseen_pages >= LOOK_PAGES:
            self._unseen_pages = 0
            self.is_due = self._length() > self._threshold

    def note_many(self) -> None:
        """A commit of many pages is made, by who has the turn: look at the WAL now, and copy it where it is long."""
        if self._length() > self._threshold:
            self.checkpoint()

    def _length(self) -> int:
        try:
            return self._wal.stat().st_size
        except OSError:
            return 0

    def checkpoint(self) -> None:
        """Copy it; if a reader kept pages back, not again before it has grown as much more."""
        self.is_due = False
        length = self._length()
        self._threshold = WAL_LIMIT_BYTES if self._checkpoint() else length + WAL_LIMIT_BYTES

    def _checkpoint(self) -> bool:
        try:
            if not self.runs_alone:
                return self._copy()
            with self._database.turn.writing():
                return self._copy()
        except StoreUnavailableError:
            return False  # the commit before it stands; the next one tries again

    def _copy(self) -> bool:
        checkpointer = self._database.checkpointer
        with checkpointer.lock:  # not its gate: a fork that waits for our turn would wait for ever
            [(is_busy, frames, copied)] = checkpointer.query("checkpoint_wal")
        return not is_busy and frames == copied
