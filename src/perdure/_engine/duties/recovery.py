"""Recovery: the runs of dead workers go back to the queue, and those that waited for a mend get another chance.

Continuous, in every worker, each decision one transaction. A worker of this machine is dead when its file lock is
free; any worker when it has not renewed its lease before our eyes (protocol rule 10; see `witness`).

A file's path follows from its worker's id alone. It is removed once its worker has no row: until then it is evidence.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from ...stores.protocol import NothingDone
from ..membership.witness import Witness
from ..membership.worker import RENEWALS, free_locks, lock_path, remove_leftovers
from ..trouble import Trouble

if TYPE_CHECKING:
    from ..runtime import Runtime

log = logging.getLogger("perdure")

HOUSEKEEPING_SECONDS = 30.0
AGAIN_SECONDS = 0.25
"""How soon to look again where a dead worker could not be taken over: the database was busy with its last statement."""


class Recovery:
    """Called by the launch and then by the poller, with every round."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._revision = 0
        self._witness = Witness()
        self._leases_at = -math.inf
        self._housekeeping_at = 0.0
        self._dead: set[str] = set()
        self._trouble = Trouble("the runs of a dead worker cannot be put back")
        self.is_hindered = False
        """Whether a dead worker could not be taken over yet."""

    def recover(self) -> int:
        """At launch: take over all dead workers of this machine at once. How many runs went back to the queue."""
        remove_leftovers(self._runtime.store.lock_directory)
        count = sum(self._bury(worker_id) for worker_id in self._free_files())
        self.keep_house()
        return count

    def look(self) -> None:
        """A round: who was seen to be dead every time, leases and the rest now and then."""
        runtime = self._runtime
        self.is_hindered = False
        dead = {*self._free_files(), *self._dead}
        self._dead -= dead
        for worker_id in dead:
            self._bury(worker_id)
        now = time.monotonic()
        if now - self._leases_at > runtime.options.lease_seconds / RENEWALS:
            self._leases_at = now
            self._check_leases()
        is_time = now - self._housekeeping_at > HOUSEKEEPING_SECONDS
        if is_time or runtime.definitions.revision != self._revision:
            self.keep_house()
        if is_time or runtime.claims.is_unknown:
            runtime.claims.reconcile()

    def note_dead(self, worker_ids: Collection[str]) -> None:
        """The lock of these workers is free: take them over with the next round, which is to come now. Any thread."""
        self._dead.update(worker_ids)
        self._runtime.poller.call()

    def _free_files(self) -> list[str]:
        runtime = self._runtime
        return [worker_id for worker_id, _ in free_locks(runtime.store.lock_directory, runtime.worker.worker_id)]

    def _bury(self, worker_id: str) -> int:
        taken = self._take_over(worker_id)
        if taken is None and self._has_row(worker_id):
            self.is_hindered = True
            self._dead.add(worker_id)
            return 0
        lock_path(self._runtime.store.lock_directory, worker_id).unlink(missing_ok=True)
        return len(taken or ())

    def _has_row(self, worker_id: str) -> bool:
        return any(worker.worker_id == worker_id for worker in self._runtime.store.workers())

    def _check_leases(self) -> None:
        me, clock = self._runtime.worker, self._runtime.worker.clock
        asked_at = clock()
        others = [worker for worker in self._runtime.store.workers() if worker.worker_id != me.worker_id]
        for worker in self._witness.look(
            others, asked_at=asked_at, answered_at=clock(), unbroken_since=me.unbroken_since
        ):
            self._take_over(worker.worker_id, seen=worker.renewed_at)

    def _take_over(self, worker_id: str, *, seen: float | None = None) -> list[str] | None:
        runtime = self._runtime
        try:
            with runtime.journal.turn():
                taken = runtime.store.take_over(worker_id, seen=seen)
        except NothingDone as error:  # somebody has locked a run of it: that keeps no other dead worker
            self._trouble.met(error)
            self.is_hindered = True
            return None
        if taken:
            log.info("worker %s is dead; %d of its runs go on elsewhere", worker_id, len(taken))
            runtime.dispatcher.expect_backlog()
        return taken

    def keep_house(self) -> None:
        """What depends on the code that is loaded, and what nobody else would end."""
        runtime = self._runtime
        revision, names = runtime.definitions.revision, runtime.definitions.names()
        self._housekeeping_at = time.monotonic()
        if revision != self._revision:
            mended = runtime.store.mend(names)
            self._revision = revision
            if mended:
                log.info("%d runs that waited for a mend are tried again", len(mended))
                runtime.dispatcher.expect_backlog()
        runtime.claims.sweep_cancelled()
        runtime.store.explain_unknown(
            runtime.dispatcher.queues(),
            names,
            "no process that works on this queue knows this function: start one that imports its module",
        )
