"""In which order are outcomes handed over? The run's order of deliveries, recorded once and repeated ever after.

While several calls of a run are open, the order in which their outcomes reach the run's code decides what it does
next. Each delivery gets the next position. A step's position is kept with its checkpoint; that of a wait for a child
or a sleep goes into the run's *order log*, a checkpoint of kind `order` that holds many. On replay an outcome is due
when every earlier position was handed over, and what is not recorded comes after all that is.

Before its first fork a run has one branch, the order of its deliveries follows from its code, and waits need no log.

What is recorded is a beginning of what happened: entries of one claim are committed in the order in which they were
made. So a call without a record comes after everything that is recorded, in every replay of the same program.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

_NO_POSITIONS: Final[Mapping[str, int]] = {}
_NO_KEYS: Final[Mapping[int, str]] = {}
_NO_CALLS: Final[Collection[str]] = frozenset()
"""What all runs share that have nothing recorded: they are many, and these are never written to."""

CANCELLED_MARK = "!"
"""In the log, before the key of a call that the run's own code cancelled before it had an outcome."""


class Order:
    """The deliveries of one run: those recorded, and how many were handed over in this replay or for the first time."""

    __slots__ = ("_cancelled", "_keys", "_positions", "next_position", "open_keys")

    def __init__(self, recorded: Iterable[tuple[int, str]] = ()) -> None:
        self._positions = _NO_POSITIONS
        self._keys = _NO_KEYS
        self._cancelled = _NO_CALLS
        self.next_position = 0
        self.open_keys = _NO_CALLS
        """Calls that stay open until the run's own code cancels them again: asked for, if not yet due."""
        if recorded:
            calls = [(position, marked.removeprefix(CANCELLED_MARK), marked) for position, marked in recorded]
            self._positions = {key: position for position, key, _ in calls}
            self._keys = {position: key for position, key, _ in calls}
            self._cancelled = {key for _, key, marked in calls if key != marked}

    def stays_open(self, key: str) -> None:
        """The call was asked for and waits to be cancelled."""
        self.open_keys = {*self.open_keys, key}

    def was_closed(self, key: str) -> None:
        """It waits no more."""
        self.open_keys = frozenset(open_key for open_key in self.open_keys if open_key != key)

    @property
    def is_replaying(self) -> bool:
        """Whether recorded deliveries are still to come."""
        return self.next_position < len(self._positions)

    @property
    def awaited_key(self) -> str | None:
        """The call whose recorded outcome is to be handed over next."""
        return self._keys.get(self.next_position)

    def was_cancelled(self, key: str) -> bool:
        """Whether the run's own code cancelled this call when it ran first."""
        return key in self._cancelled

    def is_recorded(self, key: str) -> bool:
        """Whether this call's delivery has a recorded position."""
        return key in self._positions

    def rank(self, key: str) -> int:
        """The recorded position, or one behind all that are recorded."""
        return self._positions.get(key, len(self._positions))

    def is_due(self, key: str) -> bool:
        """Whether this call's outcome may be handed over now."""
        position = self._positions.get(key)
        if position is None:
            return self.next_position >= len(self._positions)
        return position == self.next_position

    def give_back(self, position: int) -> None:
        """The position that was handed out last was not taken: nothing was handed over."""
        self.next_position = position

    def advance(self, key: str) -> tuple[int, bool]:
        """Hand it over: its position, and whether that was recorded before."""
        position = self.next_position
        self.next_position = position + 1
        if self._positions:
            return position, key in self._positions
        return position, False
