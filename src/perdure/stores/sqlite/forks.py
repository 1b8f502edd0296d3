"""No connection crosses a fork.

SQLite remembers per process, by inode, which locks it holds on a file. A forked child inherits that memory but not the
locks: a connection that it opens while an inherited one exists believes itself locked and is not (commits are lost
when the last real one goes and deletes the WAL), or finds the write lock taken for ever by nobody. Both were seen.
So every connection is closed *before* a fork, between two transactions, and opened again on first use, on both sides.
If a connection cannot be had in time, the child may not use that file at all, and says so.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import time
import weakref
from typing import Protocol

PATIENCE_SECONDS = 10.0
"""How long a fork waits for transactions that are under way."""


class Forkable(Protocol):
    """Something that has connections."""

    def pause(self, deadline: float) -> None:
        """Close every connection, waiting until `deadline` (monotonic) for those in use; start no other."""

    def resume(self) -> None:
        """In the parent: go on."""

    def resume_in_child(self) -> None:
        """In the child: go on, without the connections that could not be closed."""


_living: weakref.WeakSet[Forkable] = weakref.WeakSet()
_paused: list[Forkable] = []
_pinned: list[sqlite3.Connection] = []


def watch(forkable: Forkable) -> None:
    """Have it paused around every fork for as long as it lives."""
    _living.add(forkable)


def pin(connection: sqlite3.Connection) -> None:
    """Never close this connection, also not when the interpreter ends: its files and locks are the parent's.

    A module's list is emptied at the end of the interpreter; the extra reference is what survives that.
    """
    _pinned.append(connection)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _before() -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    _paused.extend(_living)
    for forkable in _paused:
        forkable.pause(deadline)


def _after_in_parent() -> None:
    while _paused:
        _paused.pop().resume()


def _after_in_child() -> None:
    while _paused:
        _paused.pop().resume_in_child()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
