"""What a run waits for durably."""

from __future__ import annotations

from ..._core.flow import DurableWait
from ..._entries import Wait
from ...typing import RunId


class Waits(dict[DurableWait, None]):
    """What the branches of one run wait for durably right now, in the order in which they began: what a park must name,
    so that the run wakes.
    """

    __slots__ = ()

    @property
    def are_for_times(self) -> bool:
        """Whether every branch waits for a time, and for nothing else."""
        return not any(one.runs or one.wait for one in self)

    def runs(self) -> list[RunId]:
        """All for whose end any branch waits."""
        return [run_id for one in self for run_id in one.runs]

    def others(self) -> list[Wait]:
        """What branches wait for that others send or say."""
        return [one.wait for one in self if one.wait is not None]

    def first_due(self) -> float | None:
        """The first time that any branch waits for."""
        return min((one.due_at for one in self if one.due_at is not None), default=None)
