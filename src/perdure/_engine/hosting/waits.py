"""What a run waits for durably."""

from __future__ import annotations

from ..._core.flow import Await, AwaitAny
from ...typing import RunId


class Waits:
    """What the branches of one run wait for durably right now: what a park must name, so that the run wakes."""

    __slots__ = ("awaited", "due", "runs", "several")

    def __init__(self) -> None:
        self.due: list[float] = []
        self.runs: list[RunId] = []
        self.several: list[AwaitAny] = []
        """The branches that wait for one of many runs, perhaps until some time."""
        self.awaited: list[Await] = []
        """And those that wait for what others send, perhaps until some time."""

    def __len__(self) -> int:
        return len(self.due) + len(self.runs) + len(self.several) + len(self.awaited)

    @property
    def is_for_times(self) -> bool:
        """Whether every branch waits for a time, and for nothing else."""
        return not (self.runs or self.several or self.awaited)

    def all_runs(self) -> list[RunId]:
        """All that any branch waits for."""
        return [*self.runs, *(run_id for one in self.several for run_id in one.several.calls.values())]

    def first_due(self) -> float | None:
        """The first time that any branch waits for."""
        limits = (*(one.due_at for one in self.several), *(one.due_at for one in self.awaited))
        return min((*self.due, *(due_at for due_at in limits if due_at is not None)), default=None)
