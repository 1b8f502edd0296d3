"""What runs are and have recorded, read and never changed; what people ask for is in `finding`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .._entries import Arrival, Checkpoint, EndedRun, HistoryRows
from ..typing import RunId, RunKind, RunState, Stopped
from .claimed import ClaimedRun

MessagesWanted = tuple[RunId, str]
"""A run, and a topic of its messages."""


@dataclass(slots=True, frozen=True)
class RunRow:
    """A run as anybody may see it. Times are seconds since the epoch."""

    run_id: RunId
    kind: RunKind
    name: str
    state: RunState
    queue: str
    fingerprint: str
    attempts: int
    created_at: float
    due_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    parent_id: RunId | None = None
    parent_key: str | None = None
    worker_id: str | None = None
    reason: str | None = None
    stopped: Stopped | None = None
    """Why nothing that it waits for wakes it."""

    @property
    def needs_mend(self) -> bool:
        """Whether only other code can go on with it."""
        return self.stopped == "mend"


class Runs(Protocol):
    """Those of a store; from any thread. Errors as of a store."""

    def row(self, run_id: RunId) -> RunRow | None:
        """The run, or None."""

    def histories(self, run_ids: Sequence[RunId]) -> list[HistoryRows]:
        """All that each of the runs has recorded; checkpoints in order of recording, children in order of creation.
        As many statements for many runs as for one.
        """

    def checkpoints(self, run_id: RunId) -> list[Checkpoint]:
        """The run's checkpoints alone, in order of recording (for people and tests)."""

    def unfinished(self, after: int, most: int) -> list[tuple[int, ClaimedRun]]:
        """Runs that have not ended, whoever holds them, with their numbers: those after this one, at most so many. Read
        as a claim would give them, and claimed by nobody.
        """

    def arrived(self, wanted: Sequence[MessagesWanted], most: int) -> list[list[Arrival]]:
        """What waits to be received, of each the first `most` in order; one statement."""

    def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        """Those of the given runs that have ended, with their outputs; one statement."""

    def stuck(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        """Those of the given runs that wait for a mend, with the reason; one statement. They have not ended."""
