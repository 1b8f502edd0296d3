"""Recovery: the runs of dead workers go back to the queue, and those that waited for a mend get another chance.

Continuous, in every worker, each decision one transaction. A worker of this machine is dead when its file lock is
free; any other when its lease is over and we have been a witness for long enough (protocol rule 10).
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .worker import boot_id, is_free

if TYPE_CHECKING:
    from .runtime import Runtime

log = logging.getLogger("perdure")

HOUSEKEEPING_SECONDS = 30.0


class Recovery:
    """Called by the launch and then by the poller, with every round."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._names = 0
        self._leases_at = 0.0
        self._housekeeping_at = 0.0
        self._strangers: set[str] = set()
        """Workers of other databases that died and left a lock file here: evidence for others, nothing to us."""

    def recover(self) -> int:
        """At launch: take over all dead workers of this machine at once. How many runs went back to the queue."""
        runtime = self._runtime
        count = 0
        for worker in runtime.store.workers():
            if worker.worker_id != runtime.worker.worker_id and worker.boot_id == boot_id():
                count += self._take_over_if_free(worker.worker_id, Path(worker.lock_path))
        self._leases_at = time.monotonic()
        self.keep_house()
        return count

    def look(self) -> None:
        """A round: file locks every time (no statement), leases and the rest now and then."""
        runtime = self._runtime
        directory = Path(runtime.store.lock_directory)
        for path in directory.glob("*.lock"):
            if path.stem != runtime.worker.worker_id and path.stem not in self._strangers:
                self._take_over_if_free(path.stem, path)
        now = time.monotonic()
        if now - self._leases_at > runtime.options.lease_seconds / 3:
            self._leases_at = now
            self._check_leases()
        if now - self._housekeeping_at > HOUSEKEEPING_SECONDS or len(runtime.definitions) != self._names:
            self.keep_house()
        if runtime.is_unknown:
            runtime.reconcile()

    def _take_over_if_free(self, worker_id: str, path: Path) -> int:
        if not is_free(path):
            return 0
        taken = self._take_over(worker_id, only_expired=False)
        if taken is not None:
            path.unlink(missing_ok=True)
            return len(taken)
        store = self._runtime.store
        if all(worker.worker_id != worker_id for worker in store.workers()):  # else it was busy: look again
            self._strangers.add(worker_id)
            if store.is_local:  # the folder is this database's alone
                path.unlink(missing_ok=True)
        return 0

    def _check_leases(self) -> None:
        runtime = self._runtime
        if not runtime.worker.is_witness:
            return
        for worker in runtime.store.workers():
            if worker.lease_is_over and worker.worker_id != runtime.worker.worker_id:
                self._take_over(worker.worker_id, only_expired=True)

    def _take_over(self, worker_id: str, *, only_expired: bool) -> list[str] | None:
        runtime = self._runtime
        with runtime.journal.turn():
            taken = runtime.store.take_over(worker_id, only_expired=only_expired)
        if taken:
            log.info("worker %s is dead; %d of its runs go on elsewhere", worker_id, len(taken))
            runtime.dispatcher.expect_backlog()
        return taken

    def keep_house(self) -> None:
        """What depends on the code that is loaded, and what nobody else would end."""
        runtime = self._runtime
        names = runtime.definitions.names()
        self._housekeeping_at = time.monotonic()
        if len(names) != self._names:
            self._names = len(names)
            mended = runtime.store.mend(names)
            if mended:
                log.info("%d runs that waited for a mend are tried again", len(mended))
                runtime.dispatcher.expect_backlog()
        runtime.sweep_cancelled()
        runtime.store.explain_unknown(
            runtime.dispatcher.queues(),
            names,
            "no process that works on this queue knows this function: start one that imports its module",
        )
