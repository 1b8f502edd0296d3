"""No connection crosses a fork: everything that has connections is paused around each one.

SQLite remembers per process, by inode, which locks it holds on a file. A forked child inherits that memory but not the
locks: a connection that it opens while an inherited one exists believes itself locked and is not (commits are lost
when the last real one goes and deletes the WAL), or finds the write lock taken for ever by nobody. Both were seen.
So every connection is closed *before* a fork, between two transactions, and opened again on first use, on both sides.
If a connection cannot be had in time, the child may never use that file, by whatever store, and says so.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
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


_forking = threading.RLock()
"""Held by the thread that forks: another one forks after it."""
_living: weakref.WeakSet[Forkable] = weakref.WeakSet()
_paused: list[Forkable] = []
_pinned: list[object] = []
_tainted: set[tuple[int, int]] = set()
"""Device and inode of the files that this process may not open."""


def watch(forkable: Forkable) -> None:
    """Have it paused around every fork for as long as it lives."""
    with _forking:
        _living.add(forkable)


def pin(*inherited: object) -> None:
    """Never finalise these, also not when the interpreter ends: what they would close is the parent's.

    A module's list is emptied at the end of the interpreter; the extra reference is what survives that.
    """
    import ctypes  # lazily: only a forked child needs it

    for one in inherited:
        _pinned.append(one)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))


def taint(path: Path) -> None:
    """Nothing in this process, or in its children, may open the file any more; a new one of that name it may."""
    with suppress(OSError):
        _tainted.add(_identity(path))


def is_tainted(path: Path) -> bool:
    """Whether this process must not open the file."""
    if _tainted:
        with suppress(OSError):
            return _identity(path) in _tainted
    return False


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _before() -> None:
    _forking.acquire()
    deadline = time.monotonic() + PATIENCE_SECONDS
    _paused.extend(_living)
    for forkable in _paused:
        forkable.pause(deadline)


def _after_in_parent() -> None:
    while _paused:
        _paused.pop().resume()
    _forking.release()


def _after_in_child() -> None:
    global _forking
    _forking = threading.RLock()  # other threads of the parent may wait for the old one
    while _paused:
        _paused.pop().resume_in_child()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
