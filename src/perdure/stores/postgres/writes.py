"""How many transactions of each worker there were: for the fence of servers that do not tell their timeline."""

from __future__ import annotations


class Writes:
    """As this process has counted."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.are_checked = False
        """Whether the fence of this server compares the count; known once a worker has joined."""

    def expected(self, worker_id: str) -> int:
        """What the row says, unless the database has failed over."""
        return self._counts.get(worker_id, 0)

    def count(self, worker_id: str) -> None:
        """One more is committed."""
        self._counts[worker_id] = self.expected(worker_id) + 1

    def forget(self, worker_id: str) -> None:
        """It has left."""
        self._counts.pop(worker_id, None)
