"""Whose lease is over, or whose lock is free, as this worker has seen it (protocol rule 10). Rules alone: the times are
handed in.

No clock of the database, nor the time of day anywhere, tells that: a clock that is set forward by a minute would make
healthy workers dead, and after an outage whoever renews first would take over those who come a moment later. So a
worker watches, by a clock of its own that only passes, for as long as it renews without a gap itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...stores.protocol import Locks, WorkerRow


class Witness:
    """Remembers of every worker since when its row has not changed."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}

    def look(
        self, workers: Sequence[WorkerRow], *, asked_at: float, answered_at: float, unbroken_since: float
    ) -> list[WorkerRow]:
        """Those that have not renewed for one whole lease. `workers` were read between `asked_at` and `answered_at`;
        what was seen before `unbroken_since` does not count.
        """
        before, self._seen = self._seen, {}
        silent: list[WorkerRow] = []
        for worker in workers:
            renewed_at, since = before.get(worker.worker_id, (None, answered_at))
            since = max(since if renewed_at == worker.renewed_at else answered_at, unbroken_since)
            self._seen[worker.worker_id] = worker.renewed_at, since
            if asked_at - since > worker.lease_seconds:
                silent.append(worker)
        return silent


GRACE_SECONDS = 0.3
"""A lock that was held must be free again after this: its worker may just be taking it in a new session."""
UNSEEN_SECONDS = 5.0
"""The same for a lock that was never seen held in this session: longer than a living worker needs to take it again."""
LONGEST_GAP_SECONDS = 1.0
"""Of what passes between two looks, this much counts: whoever was stopped has watched nobody."""


class LockWitness:
    """Whose lock is free for good, as one session has seen it."""

    def __init__(self) -> None:
        self._session = 0
        self._looked_at = 0.0
        self._were_held: set[str] = set()
        self._free_for: dict[str, float] = {}

    def look(self, locks: Locks, *, asked_at: float, answered_at: float) -> list[str]:
        """Those that are dead. What another session has seen is forgotten: it broke, and so may theirs have."""
        if locks.session != self._session:
            self._session = locks.session
            self._were_held.clear()
            self._free_for.clear()
        passed = min(max(asked_at - self._looked_at, 0.0), LONGEST_GAP_SECONDS)
        self._looked_at = answered_at
        self._were_held = (self._were_held & locks.free) | locks.held
        self._free_for = {
            worker_id: self._free_for[worker_id] + passed if worker_id in self._free_for else 0.0
            for worker_id in locks.free
        }
        return [worker_id for worker_id, seconds in self._free_for.items() if seconds >= self._patience(worker_id)]

    def _patience(self, worker_id: str) -> float:
        return GRACE_SECONDS if worker_id in self._were_held else UNSEEN_SECONDS
