"""Whose lease is over, as this worker has seen it (protocol rule 10). Rules alone: the times are handed in.

No clock of the database, nor the time of day anywhere, tells that: a clock that is set forward by a minute would make
healthy workers dead, and after an outage whoever renews first would take over those who come a moment later. So a
worker watches, by a clock of its own that only passes, for as long as it renews without a gap itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...stores.protocol import WorkerRow


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
