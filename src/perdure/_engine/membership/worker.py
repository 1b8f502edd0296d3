"""A worker's identity and its signs of life: the row, the lease and the file lock.

The id is a fresh UUID for every start of a process. The operating system holds the file lock for us and lets go of it
when the process dies, however it dies: so a worker of this database on the same machine knows at once. Elsewhere, and
where the file is gone, the lease decides, as each sees it by its own clock (protocol rule 10; see `witness`).
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Collection

from ...errors import StoreError
from ...stores.protocol import Hint, Served, Store, WorkerRow
from .file_locks import FileLock, free_locks, lock_path, locked_file
from .line import Line

log = logging.getLogger("perdure")

RENEWALS = 3
"""How often a lease is renewed within its length."""
RETRIES = 30
"""How often within its length that is tried while the database does not answer: the first time after it does must not
come late.
"""

_LEASE_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds that only pass, those in which the machine slept too: leases run on then, while Linux's monotonic clock
    stands still.
    """
    return time.clock_gettime(_LEASE_CLOCK)


class Worker:
    """This process in the database. `on_lost` is called when the row is gone or could not be renewed for one lease."""

    def __init__(
        self,
        store: Store,
        *,
        lease_seconds: float,
        on_lost: Callable[[str], None],
        on_dead: Callable[[Collection[str]], None] = lambda dead: None,
        on_hint: Callable[[Hint], None] = lambda hint: None,
        serves: Callable[[], Served] = Served,
        clock: Callable[[], float] = elapsed,
    ) -> None:
        self._store = store
        self.clock = clock
        self._lease_seconds = lease_seconds
        self._on_lost = on_lost
        self.line = Line(
            store.session(),
            worker_id=lambda: self.worker_id,
            renew=self._beat,
            free_files=self.free_files,
            on_dead=on_dead,
            on_hint=on_hint,
        )
        self._serves = serves
        self._served = Served()
        self._lock: FileLock | None = None
        self._has_left = False
        self.worker_id = ""
        self.renewed_at = 0.0
        self._unbroken_since = 0.0

    def join(self) -> None:
        """Take a new id, lock its file, insert its row; after an error everything is as it was."""
        worker_id = str(uuid.uuid4())
        asked_at = self.clock()
        serves = self._serves()
        row = WorkerRow(worker_id, socket.gethostname(), os.getpid(), serves=serves)
        lock = locked_file(lock_path(self._store.lock_directory, worker_id))
        try:
            self._store.workers.join(row, self._lease_seconds)
        except BaseException:
            lock.release()
            raise
        self.worker_id, self._served = worker_id, serves
        self.renewed_at = self._unbroken_since = asked_at
        old_lock, self._lock = self._lock, lock
        if old_lock is not None:
            old_lock.release()
            self.line.hold_soon()

    def tell_served(self) -> None:
        """Write what this process takes runs of, where that has changed."""
        worker_id, serves = self.worker_id, self._serves()
        if serves != self._served:
            self._store.workers.serve(worker_id, serves)
            self._served = serves

    def start(self) -> None:
        """Start the heartbeat, on a thread and a connection of its own: a busy program must not lose a healthy
        worker.
        """
        self.line.start(self._lease_seconds / RENEWALS, self._hand_all_back)

    @property
    def may_start(self) -> bool:
        """Whether new work may be started: the lease was renewed within its length."""
        return self.clock() - self.renewed_at < self._lease_seconds

    @property
    def unbroken_since(self) -> float:
        """Since when this worker has renewed without a gap, by its clock: what it saw before is no evidence (rule 10).
        A gap is longer than one renewal takes to come: what kept this worker from one may have kept others.
        """
        now = self.clock()
        return self._unbroken_since if self._is_in_time(now) else now

    def _is_in_time(self, now: float) -> bool:
        return now - self.renewed_at < self._lease_seconds / 2

    def _beat(self) -> float:
        try:
            self._renew()
        except StoreError as error:
            log.warning("the lease could not be renewed: %s", error)
            return self._lease_seconds / RETRIES
        return self._lease_seconds / RENEWALS

    def free_files(self) -> list[str]:
        """The workers of this machine whose lock files are free: they are dead."""
        return [worker_id for worker_id, _ in free_locks(self._store.lock_directory, self.worker_id)]

    def _hand_all_back(self) -> None:
        try:
            self._store.workers.leave(self.worker_id)
        except StoreError as error:
            log.warning("could not hand the runs back; the next start will find them: %s", error)
        except Exception:
            log.exception("could not hand the runs back; the next start will find them")
        else:
            self._has_left = True

    def _renew(self) -> None:
        worker_id, asked_at = self.worker_id, self.clock()
        if not self._store.workers.renew(worker_id):
            self._on_lost(worker_id)
            return
        if not self._is_in_time(asked_at):
            self._unbroken_since = asked_at
        self.renewed_at = asked_at

    def leave(self, seconds: float) -> bool:
        """Hand everything back and remove the row; False where that is still under way after `seconds`, or failed.

        On the heartbeat's thread: a database that does not answer must not hold up the end of the process, which may
        start no thread any more. The file lock goes last, so that nobody takes us for dead before; the file stays,
        unlocked, where the row does, and tells the next start that we are gone.
        """
        is_over = self.line.stop(seconds)
        if not self.line.is_started:  # the launch did not come so far
            self._has_left = not self.worker_id
            if self.worker_id:
                self._hand_all_back()
        elif not is_over:
            log.warning("the database does not answer; the next start will find the runs that were held here")
        self.drop(keep_file=not self._has_left)
        return self._has_left or not self.line.is_started

    def drop(self, *, keep_file: bool) -> None:
        """Let go of the file lock."""
        if self._lock is not None:
            (self._lock.drop if keep_file else self._lock.release)()
            self._lock = None
