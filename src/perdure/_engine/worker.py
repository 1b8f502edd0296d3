"""A worker's identity and its signs of life: the row, the lease and the file lock.

The id is a fresh UUID for every start of a process. The operating system holds the file lock for us and lets go of it
when the process dies, however it dies: so a worker that starts on the same machine (the same boot) knows at once.
Elsewhere, and where the file is gone, the lease decides, judged by the database's clock (protocol rule 10).
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from ..errors import StoreError
from ..stores.protocol import Store, WorkerRow

log = logging.getLogger("perdure")

LEASE_SECONDS = 30.0


def boot_id() -> str:
    """What distinguishes this start of this machine; without it no file lock is evidence."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{socket.gethostname()}:{uuid.getnode()}"


class FileLock:
    """An exclusive lock on a file, held until `release` or the end of the process. Not inherited by children."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        self._descriptor: int | None = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fresh.rename(path)  # whoever sees the file sees it locked

    def release(self) -> None:
        """Give the lock up and remove the file."""
        self.path.unlink(missing_ok=True)
        self.drop()

    def drop(self) -> None:
        """Close the file. In a forked child this leaves the parent's lock alone: it belongs to the open file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_free(path: Path) -> bool:
    """Whether the lock file is there and nobody holds it: the worker that made it is dead."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


class Worker:
    """This process in the database. `on_lost` is called when the row is gone or could not be renewed for one lease."""

    def __init__(self, store: Store, *, lease_seconds: float, on_lost: Callable[[str], None]) -> None:
        self._store = store
        self._lease_seconds = lease_seconds
        self._on_lost = on_lost
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock: FileLock | None = None
        self._has_left = False
        self.worker_id = ""
        self.renewed_at = 0.0
        self.connected_at = 0.0

    def join(self) -> None:
        """Take a new id, lock its file, insert its row."""
        old_lock = self._lock
        self.worker_id = str(uuid.uuid4())
        path = Path(self._store.lock_directory) / f"{self.worker_id}.lock"
        self._lock = FileLock(path)
        row = WorkerRow(self.worker_id, socket.gethostname(), os.getpid(), boot_id(), str(path))
        try:
            self._store.join(row, self._lease_seconds)
        except BaseException:
            self._lock.release()
            self._lock = None
            raise
        self.renewed_at = self.connected_at = time.monotonic()
        if old_lock is not None:
            old_lock.release()

    def start(self) -> None:
        """Start the heartbeat, on a thread and a connection of its own: a busy program must not lose a healthy
        worker.
        """
        self._thread = threading.Thread(target=self._beat, name="perdure-lease", daemon=True)
        self._thread.start()

    @property
    def may_start(self) -> bool:
        """Whether new work may be started: the lease was renewed within its length."""
        return time.monotonic() - self.renewed_at < self._lease_seconds

    @property
    def is_witness(self) -> bool:
        """Whether this worker has renewed without a gap for one lease: only then may it call a lease over (rule 10)."""
        return self.may_start and time.monotonic() - self.connected_at > self._lease_seconds

    def _beat(self) -> None:
        while not self._stop.wait(self._lease_seconds / 3):
            try:
                worker_id = self.worker_id
                is_there = self._store.renew(worker_id, self._lease_seconds)
            except StoreError as error:
                log.warning("the lease could not be renewed: %s", error)
                continue
            now = time.monotonic()
            if now - self.renewed_at > self._lease_seconds:
                self.connected_at = now
            if is_there:
                self.renewed_at = now
            else:
                self._on_lost(worker_id)

        try:
            self._store.leave(self.worker_id)
        except StoreError as error:
            log.warning("could not hand the runs back; the next start will find them: %s", error)
        else:
            self._has_left = True

    def leave(self, seconds: float) -> bool:
        """Hand everything back and remove the row; False where the database has not done so in `seconds`.

        On the heartbeat's thread: a database that does not answer must not hold up the end of the process, which may
        start no thread any more. The file lock goes last, so that nobody takes us for dead before; the file stays,
        unlocked, where the row does, and tells the next start that we are gone.
        """
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)
            if self._thread.is_alive():
                log.warning("the database does not answer; the next start will find the runs that were held here")
        self.drop(keep_file=not self._has_left)
        return self._has_left

    def drop(self, *, keep_file: bool) -> None:
        """Let go of the file lock."""
        if self._lock is not None:
            (self._lock.drop if keep_file else self._lock.release)()
            self._lock = None
