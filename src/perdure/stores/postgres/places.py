"""Where the workers of this machine keep their lock files: one directory for each database, for this user alone."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

from ...errors import StoreUnavailableError, UnsupportedStoreError


def own_directory(identity: str) -> Path:
    """The directory for the database of this identity, made if it is not there.

    It is of this start of this machine alone: a free lock is evidence only where its holder could have held it here
    (rule 10), and a temporary directory may be shared. Raises `UnsupportedStoreError` where others could write in it:
    whoever's lock file is free there is taken for dead.
    """
    root = Path(tempfile.gettempdir()) / f"perdure-workers-{os.getuid()}"
    directory = root / f"{identity}-{_boot()}"
    for path in (root, directory):
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            found = path.lstat()
        except OSError as error:
            raise StoreUnavailableError(
                f"the directory {path} for the lock files of this machine's workers cannot be made ({error.strerror}): "
                "make room or let this user write there, or set TMPDIR to a directory where it can"
            ) from error
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise UnsupportedStoreError(
                f"{path} must be a directory that belongs to this user, and that nobody else may write to: remove it, "
                "or set TMPDIR to another directory for all processes that work on this database"
            )
    return directory


def _boot() -> str:
    """What distinguishes this start of this machine, as far as the system tells."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{socket.gethostname()}-{uuid.getnode():x}"
