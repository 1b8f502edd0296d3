"""What went wrong, in our own errors: every `sqlite3` exception is translated here, and nowhere else."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from ...errors import StoreError, StoreRefusedError, StoreUnavailableError, UnsupportedStoreError
from ..protocol import NothingDone

REFUSALS: Final = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, OverflowError, UnicodeError)
"""The data itself cannot be stored: sending it again cannot help."""

FAILURES: Final = (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError)
"""Everything that `sqlite3` raises for a statement."""

_CLOSED: Final = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH}
_USELESS: Final = {*_CLOSED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}

PRIMARY_CODE: Final = 0xFF
"""The part of an extended result code that names the kind of failure."""


def translate(failure: Exception, path: Path, patience_seconds: float) -> StoreError:
    """The error to raise from `failure`."""
    code = getattr(failure, "sqlite_errorcode", 0) & PRIMARY_CODE
    if code == sqlite3.SQLITE_TOOBIG or isinstance(failure, REFUSALS) or str(failure).startswith("Error binding"):
        return StoreRefusedError(f"the database {path} refused a value: {failure}")
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreUnavailableError(busy_message(path, patience_seconds))
    if code == sqlite3.SQLITE_NOTADB:
        return UnsupportedStoreError(f"{path} is not a SQLite database; name another file, Perdure makes it")
    if code == sqlite3.SQLITE_CORRUPT:
        return StoreUnavailableError(f"the database {path} is damaged ({failure}): restore it from a backup")
    if code == sqlite3.SQLITE_FULL:
        return NothingDone(f"the disk that holds {path} is full: make room, the work goes on by itself")
    if code in _CLOSED and Path(path).is_dir():
        return UnsupportedStoreError(f"{path} is a directory: give the file in it that the workers use")
    if code in _CLOSED:
        return NothingDone(
            f"the database {path} cannot be opened for writing ({failure}): this process needs to write the file, "
            "the files beside it (-wal, -shm) and their directory"
        )
    return StoreUnavailableError(f"the database {path} did not do what was asked: {failure}")


def makes_useless(failure: Exception) -> bool:
    """Whether the connection may go on to fail when the file is mended: one that was opened for reading alone, say."""
    return getattr(failure, "sqlite_errorcode", 0) & PRIMARY_CODE in _USELESS


def is_busy(failure: Exception) -> bool:
    """Whether another process has the write lock, or all of the file."""
    return getattr(failure, "sqlite_errorcode", 0) & PRIMARY_CODE == sqlite3.SQLITE_BUSY


def busy_message(path: Path, patience_seconds: float) -> str:
    """Why a write waited in vain, and who may be the cause."""
    holders = write_lock_holders(path)
    who = "; ".join(_describe(pid) for pid in holders) if holders else "unknown (look with `fuser` or `lsof`)"
    return (
        f"another process has held the write lock of {path} for {patience_seconds:g} seconds. Held by: {who}. "
        "A stopped process (Ctrl-Z, debugger) or a tool with an open transaction does this: let it go on, or end it"
    )


def write_lock_holders(path: Path) -> list[int]:
    """The processes that hold locks in the database's wal-index for writing, where the system tells (Linux)."""
    try:
        inode = Path(f"{path}-shm").stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return []
    found: set[int] = set()
    for line in locks.splitlines():
        words = line.split()
        if len(words) >= 8 and words[1] == "POSIX" and words[3] == "WRITE" and words[5].endswith(f":{inode}"):
            found.add(int(words[4]))
    return sorted(pid for pid in found if pid > 0)


def _describe(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"process {pid}"
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return f"process {pid} ({fields.get('Name', '?')}, {fields.get('State', '?')})"
