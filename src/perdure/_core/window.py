"""The calls of one `map`: which may begin, which are open, and which is handed on next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from .flow import Outcome
from .policy import Policy, Tally

AHEAD: Final = 8
"""So many times the limit lies, at most, between the oldest call that has not ended and the latest that has begun."""


class Window:
    """At most `limit` are open at once. What ends before its turn waits here, and there is an end to that too."""

    def __init__(self, items: Iterator[Any], limit: int, policy: Policy) -> None:
        self._items = items
        self._limit = limit
        self._most = AHEAD * limit
        self.tally = Tally(policy, "map")
        self.open: dict[int, Any] = {}
        """The items of the calls that have not ended, by their places."""
        self._ended: dict[int, tuple[Any, Outcome]] = {}
        self._begun = 0
        self._next = 0
        self._is_closed = False

    def take_items(self) -> list[tuple[int, Any]]:
        """The items whose calls begin now, with their places."""
        if self._is_closed:
            return []
        room = min(self._limit - len(self.open), self._most - (self._begun - self._next))
        taken = []
        for item in islice(self._items, max(0, room)):
            taken.append((self._begun, item))
            self.open[self._begun] = item
            self._begun += 1
        self._is_closed = len(taken) < room
        return taken

    def end(self, place: int, outcome: Outcome) -> bool:
        """This one has ended; whether the rest is to be cancelled."""
        self._ended[place] = self.open.pop(place), outcome
        self.tally.note(outcome.error)
        self._is_closed = self._is_closed or self.tally.is_over
        return self.tally.is_over

    def take_next(self) -> tuple[Any, Outcome] | None:
        """The next in the order of the items, if it has ended. What was given up is left out."""
        if self.tally.is_over and self._ended:
            self._next = min(self._ended)
        found = self._ended.pop(self._next, None)
        self._next += found is not None
        return found
