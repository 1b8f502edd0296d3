"""Cancels (protocol rule 8): the database first; who holds the run is told, and what nobody holds ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .._steering import By
from ..stores.protocol import Store
from ..typing import RunId
from .told import Told
from .watching.awaited_ends import Ends


class Cancels:
    """One for each door to a database. `before` makes sure that it may be written."""

    def __init__(self, store: Store, ends: Ends, told: Told, before: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._ends = ends
        self._told = told
        self._before = before

    def ask(self, run_ids: Sequence[RunId], by: By | None = None) -> list[RunId]:
        """Ask for the end of these runs, wherever they are, in one transaction, with who asks: those that had not
        ended.
        """
        self._before()
        store = self._store
        cancelled = store.cancels.ask(run_ids) if by is None else store.steering.cancel(run_ids, by)
        self._follow(cancelled)
        return cancelled

    def expire(self) -> None:
        """Cancel the runs whose deadline has passed, wherever they are."""
        self._follow(self._store.cancels.expire())

    def _follow(self, cancelled: Sequence[RunId]) -> None:
        if cancelled:
            self._told.elsewhere(cancelled)
            self._told.cancelled(cancelled)
            self.sweep()

    def sweep(self) -> None:
        """End the cancelled runs that nobody holds, and their children in turn."""
        while swept := self._store.cancels.sweep():
            for ended in self._store.runs.ended(swept):
                self._ends.publish(ended, None)
