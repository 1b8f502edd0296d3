"""Where a database file may live, and with which SQLite: checked before anything is made.

WAL needs shared memory and byte-range locks that work, which network file systems do not give.
"""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path
from typing import Final

from ...errors import StoreUnavailableError, UnsupportedStoreError

OLDEST_SQLITE: Final = (3, 37, 0)
"""For STRICT tables (RETURNING came with 3.35). Systems that still ship an older one: RHEL 9, Debian 11."""

_LONGEST_PATH: Final = 504
"""In bytes; of what SQLite takes there must remain room for `-journal`."""
_LONGEST_NAME: Final = 247
"""Of what file systems take there must remain room for that, and for our `-workers`."""

# fmt: off
_NETWORK: Final = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "fakeowner", "fuse", "gfs2", "glusterfs",
        "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs",
        "vboxsf", "virtiofs", "vmhgfs",
    }
)
# fmt: on
_SANDBOX: Final = frozenset({"9p", "virtiofs"})
"""What some sandboxes (gVisor, Kata) have as their own root."""
_OVERLAY: Final = "fuse.fuse-overlayfs"
"""The root of a container that somebody without rights has started: files of this machine."""
_ESCAPE = re.compile(r"\\([0-7]{3})")


def check_version(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Refuse a SQLite that lacks what the statements need."""
    if version < OLDEST_SQLITE:
        raise UnsupportedStoreError(
            f"SQLite {'.'.join(map(str, version))} is too old: Perdure needs {'.'.join(map(str, OLDEST_SQLITE))} or "
            "newer; use a newer Python build, or Postgres"
        )


def check_place(path: Path, mounts: str | None = None) -> None:
    """Refuse, before anything is made, a place where the database cannot be. `mounts` is for tests."""
    directory = path.parent
    whole, name = len(os.fsencode(path)), len(os.fsencode(path.name))
    if whole > _LONGEST_PATH or name > _LONGEST_NAME:
        raise UnsupportedStoreError(
            f"the path of the database is too long: {whole} bytes, of which its name has {name}; at most "
            f"{_LONGEST_PATH} and {_LONGEST_NAME} leave room for the files that lie beside it"
        )
    if not directory.is_dir():
        raise StoreUnavailableError(f"the directory {directory} of the database does not exist: make it first")
    if path.is_dir():
        raise UnsupportedStoreError(f"{path} is a directory; name a file in it, such as {path / 'perdure.db'}")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StoreUnavailableError(
            f"the directory {directory} is not writable for this process: SQLite keeps files beside the database"
        )
    if os.path.lexists(path) and not path.is_file():
        raise UnsupportedStoreError(f"{path} is no ordinary file")
    if path.exists() and path.stat().st_nlink > 1:
        raise UnsupportedStoreError(
            f"{path} has another name (a hard link): who opens it there keeps another log, and commits are lost; "
            "remove one of the names, or copy the database with `sqlite3 FILE '.backup COPY'`"
        )
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise StoreUnavailableError(f"the database {path} is not readable and writable for this process")
    point, kind = mount_of(path, _mounts() if mounts is None else mounts)
    if Path(point) == path:
        raise UnsupportedStoreError(
            f"{path} is mounted by itself, without the log that SQLite keeps beside it, and commits are lost with "
            "that: mount its directory"
        )
    if kind is not None and is_network(kind):
        raise UnsupportedStoreError(
            f"{path} is on a network file system ({kind}), where SQLite loses data: use a local disk, or Postgres"
        )


def mount_of(path: Path, mounts: str) -> tuple[str, str | None]:
    """Where the file system that holds `path` is mounted, and its kind, by the text of a Linux mountinfo; None where
    that does not say.
    """
    best, kind = "", None
    inside = f"{path}/"
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        words = left.split()
        if len(words) < 5 or not right:
            continue
        point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), words[4])
        if len(point) >= len(best) and inside.startswith(f"{point.rstrip('/')}/"):
            best, kind = point, right.split()[0]
    return best, None if kind in _SANDBOX and best == "/" else kind


def is_network(kind: str) -> bool:
    """Whether a file system of this kind may be shared with other machines; of FUSE nothing tells which are not."""
    return kind in _NETWORK or (kind.startswith("fuse.") and kind != _OVERLAY)


def _mounts() -> str:
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""  # not Linux: nothing simple tells
