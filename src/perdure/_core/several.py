"""What one branch waits for at once: the ends of several runs, and a time limit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from ..typing import RunId
from .order import Order


class Limit(Struct, eq=False):
    """How long a branch waits at most. That it was reached is an outcome, which is handed over once."""

    key: str
    seconds: float
    due_at: float
    """Recorded, so that a restart does not begin it anew."""
    is_over: bool = False
    """Whether the branch was told that it was reached."""


class Several(Struct, eq=False):
    """The runs that one branch waits for, each under the key of a call of its own."""

    calls: dict[str, RunId]
    """Those whose end was not handed over."""
    recorded: deque[str]
    """Those of them whose place in the run's order is recorded, in that order."""
    watching: Any = None
    """The host's."""

    @staticmethod
    def of(calls: dict[str, RunId], order: Order) -> Several:
        """These, as far as nothing of them was handed over in this claim."""
        return Several(calls, deque(sorted(filter(order.is_recorded, calls), key=order.rank)))

    def add(self, key: str, run_id: RunId, order: Order) -> None:
        """One more, whose end was not handed over in this claim."""
        self.calls[key] = run_id
        if order.is_recorded(key):
            self.recorded = deque(sorted([*self.recorded, key], key=order.rank))
        if self.watching is not None:
            self.watching.add(key, run_id)

    def recorded_next(self, limits: Iterable[Limit], order: Order) -> str | None:
        """What was handed over first of all this when the run ran first."""
        reached = [limit.key for limit in limits if order.is_recorded(limit.key)]
        return min([*reached, *(self.recorded and [self.recorded[0]])], key=order.rank, default=None)

    def hand_over(self, key: str) -> None:
        """This one's end is the branch's."""
        del self.calls[key]
        if self.recorded:
            self.recorded.popleft()


def earliest(limits: Sequence[Limit]) -> Limit | None:
    """The limit that is over, or will be first."""
    return min(limits, key=lambda limit: (not limit.is_over, limit.due_at), default=None)
