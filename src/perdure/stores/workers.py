"""The processes that may write: each has a row, and whoever sees that it is dead takes its runs over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ..typing import RunId


@dataclass(slots=True, frozen=True)
class Served:
    """What a process takes runs of, and with which code, as far as it says."""

    queues: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    version: str | None = None


@dataclass(slots=True, frozen=True)
class WorkerRow:
    """A process that may write; where it runs is for people. Of `renewed_at` only that it changes counts."""

    worker_id: str
    hostname: str
    pid: int
    renewed_at: float = field(default=0.0, compare=False)
    lease_seconds: float = field(default=0.0, compare=False)
    serves: Served = field(default=Served(), compare=False)


class Workers(Protocol):
    """Those of a store. Errors and threads as of a store."""

    def join(self, worker: WorkerRow, lease_seconds: float) -> None:
        """Insert the worker's row, with the database's current timeline."""

    def renew(self, worker_id: str) -> bool:
        """Show that the worker lives, by another `renewed_at`; False when the row is gone."""

    def serve(self, worker_id: str, served: Served) -> None:
        """Write what the worker takes runs of, which has changed. One without a row writes nothing."""

    def leave(self, worker_id: str) -> None:
        """Hand back all of the worker's runs, uncharged, and delete its row, in one transaction. Idempotent."""

    def all(self) -> list[WorkerRow]:
        """Every worker that has a row."""

    def take_over(self, worker_id: str, *, seen: float | None = None) -> list[RunId] | None:
        """Rules 3, 8, 10 and 11: delete the row of a dead worker and put its runs back; None when somebody else did,
        or its `renewed_at` is not the one that was `seen`. Runs with a cancel become `cancelled`; one at its limit
        that died alone `dead`, with a reason; all others `ready`. Alone: its worker held nothing else, neither when it
        was claimed nor when it died. A terminal state set here does all that a finish does.
        """
