"""Dead workers: their runs go back to the queue.

Continuous, in every worker, each decision one transaction. A worker of this machine is dead when its file lock is
free; any worker when it has not renewed its lease before our eyes (protocol rule 10; see `witness`).

A file's path follows from its worker's id alone. It is removed once its worker has no row: until then it is evidence.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from ...stores.protocol import NothingDone, Store
from ..journal.journal import Journal
from ..membership.file_locks import lock_path, remove_leftovers
from ..membership.witness import Witness
from ..membership.worker import Worker
from ..news import News
from ..trouble import Trouble

log = logging.getLogger("perdure")

AGAIN_SECONDS = 0.25
"""How soon to look again where a dead worker could not be taken over: the database was busy with its last statement."""


class DeadWorkers:
    """Two duties: the file locks, which cost no statement, with every round; the leases now and then."""

    def __init__(self, *, store: Store, journal: Journal, worker: Worker, news: News) -> None:
        self._store = store
        self._journal = journal
        self._worker = worker
        self._news = news
        self._witness = Witness()
        self._dead: set[str] = set()
        self._trouble = Trouble("the runs of a dead worker cannot be put back")
        self.is_hindered = False
        """Whether a dead worker could not be taken over yet."""

    def recover(self) -> int:
        """At launch: take over all dead workers of this machine at once. How many runs went back to the queue."""
        remove_leftovers(self._store.lock_directory)
        return sum(map(self._end, self._worker.free_files()))

    def take_over_seen(self) -> None:
        """Take over who was seen to be dead, and the workers of this machine whose file locks are free."""
        self.is_hindered = False
        dead = {*self._worker.free_files(), *self._dead}
        self._dead -= dead
        for worker_id in dead:
            self._end(worker_id)

    def note_dead(self, worker_ids: Collection[str]) -> None:
        """The lock of these workers is free: take them over with the next round, which is to come now. Any thread."""
        self._dead.update(worker_ids)
        self._news.look()

    def _end(self, worker_id: str) -> int:
        """Take it over, and remove its file once it has no row; how many runs it held."""
        taken = self._take_over(worker_id)
        if taken is None and self._has_row(worker_id):
            self.is_hindered = True
            self._dead.add(worker_id)
            return 0
        lock_path(self._store.lock_directory, worker_id).unlink(missing_ok=True)
        return len(taken or ())

    def _has_row(self, worker_id: str) -> bool:
        return any(worker.worker_id == worker_id for worker in self._store.workers.all())

    def check_leases(self) -> None:
        """Take over the workers that this one has seen not renewing their leases."""
        me, clock = self._worker, self._worker.clock
        asked_at = clock()
        others = [worker for worker in self._store.workers.all() if worker.worker_id != me.worker_id]
        for worker in self._witness.look(
            others, asked_at=asked_at, answered_at=clock(), unbroken_since=me.unbroken_since
        ):
            self._take_over(worker.worker_id, seen=worker.renewed_at)

    def _take_over(self, worker_id: str, *, seen: float | None = None) -> list[str] | None:
        try:
            with self._journal.turn():
                taken = self._store.workers.take_over(worker_id, seen=seen)
        except NothingDone as error:  # somebody has locked a run of it: that keeps no other dead worker
            self._trouble.met(error)
            self.is_hindered = True
            return None
        if taken:
            log.info("worker %s is dead; %d of its runs go on elsewhere", worker_id, len(taken))
            self._news.backlog()
        return taken
