"""What has arrived for one run and was not handed over: as far as the claim that executes it knows.

Several branches may wait for the same: each arrival is handed to one of them. Who reads the database, one after the
other, takes in what he has found; any branch takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from .._entries import Arrival, Wait


class Inbox:
    """Of one claim. A message is known from when it is read until its consumption is committed, for until then the
    database shows it.
    """

    __slots__ = ("_consumed", "_known", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], deque[Arrival]] = {}
        self._known: set[str] = set()
        self._consumed: set[str] = set()
        """Those whose consumption is handed in."""

    def take(self, wait: Wait) -> Arrival | None:
        """The first that has arrived, for the caller alone; None if none is at hand."""
        waiting = self._waiting.get((wait.kind, wait.what))
        if waiting:
            with suppress(IndexError):  # another branch was first
                return waiting.popleft()
        return None

    def put_back(self, wait: Wait, arrival: Arrival) -> None:
        """The caller does not consume it after all: it is the first again."""
        self._waiting[wait.kind, wait.what].appendleft(arrival)

    def take_in(self, wait: Wait, arrivals: Iterable[Arrival]) -> None:
        """These are there, in this order; those that are known already change nothing."""
        waiting = self._waiting.setdefault((wait.kind, wait.what), deque())
        for arrival in arrivals:
            if arrival.arrival_id not in self._known:
                self._known.add(arrival.arrival_id)
                waiting.append(arrival)

    @property
    def size(self) -> int:
        """How much is known, at hand or handed over."""
        return len(self._known)

    def consumes(self, arrival: Arrival) -> None:
        """What consumes it is being handed in."""
        self._consumed.add(arrival.arrival_id)

    def consumed(self) -> frozenset[str]:
        """Those whose consumption was handed in: if all that was handed in is committed, no later look shows them."""
        return frozenset(self._consumed)

    def forget(self, consumed: frozenset[str]) -> None:
        """No look will show these any more."""
        self._known -= consumed
        self._consumed -= consumed
