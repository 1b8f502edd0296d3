"""File locks: the operating system lets go of a worker's lock when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from ...errors import StoreUnavailableError

LEFTOVER_SECONDS = 60.0
"""A file that has no name yet is as old as this only where its maker died, or was stopped, before naming it."""


class FileLock:
    """An exclusive lock on a file, held until `release` or the end of the process. Not inherited by children.

    Whoever sees the file under its name sees it locked: it is locked first, and renamed then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        while self._descriptor is None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                fresh.rename(path)
            except FileNotFoundError:  # we were stopped for long, and somebody took it for a leftover
                os.close(descriptor)
            except BaseException:
                os.close(descriptor)
                fresh.unlink(missing_ok=True)
                raise
            else:
                self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock up and remove the file; one that cannot be removed is found unlocked by others."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        self.drop()

    def drop(self) -> None:
        """Close the file. In a forked child this leaves the parent's lock alone: it belongs to the open file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_path(directory: str, worker_id: str) -> Path:
    """The lock file of a worker. Raises `ValueError` for what is no UUID: ids from rows may be anything."""
    return Path(directory) / f"{uuid.UUID(worker_id)}.lock"


def free_locks(directory: str, but: str) -> Iterator[tuple[str, Path]]:
    """The workers that have died and their files; `but` is our own."""
    for path in Path(directory).glob("*.lock"):
        with contextlib.suppress(ValueError):
            if path.stem != but and lock_path(directory, path.stem) == path and is_free(path):
                yield path.stem, path


def remove_leftovers(directory: str) -> None:
    """Remove what processes have left that died before their file had its name."""
    for path in Path(directory).glob("*.new"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > LEFTOVER_SECONDS and is_free(path):
                path.unlink()


def is_free(path: Path) -> bool:
    """Whether the lock file is there and nobody holds it: the worker that made it is dead."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def locked_file(path: Path) -> FileLock:
    """The lock of a worker that joins. Raises `StoreUnavailableError` where its file cannot be made."""
    try:
        return FileLock(path)
    except OSError as error:
        raise StoreUnavailableError(
            f"the lock file {path} of this worker cannot be made ({error.strerror}): make room, or let this process "
            "write to its directory"
        ) from error
