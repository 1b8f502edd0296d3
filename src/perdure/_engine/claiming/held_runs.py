"""The runs that this worker holds, as far as this process knows. A register: it starts and ends nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection

from ..._core.children import NO_CHILDREN, Children
from ..._core.run import Run
from ...typing import RunId
from ..held_run import HeldRun


class Held:
    """What reconciliation compares with the database; from any thread."""

    def __init__(self) -> None:
        self.active: dict[RunId, HeldRun] = {}
        """Those that execute or wait here, by id."""
        self._about_to_begin: dict[str, RunId] = {}
        """Those that are expected, by claim."""
        self._cancelled: set[RunId] = set()
        """Those of them that were cancelled before they began."""
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)
        self._is_awaited = False
        """Whether anybody waits for all to leave: to tell nobody costs as much as the rest of a run's leaving."""

    def expect(self, run_id: RunId, claim: str) -> None:
        """The run is held from now on, and about to begin."""
        with self._lock:
            self._about_to_begin[claim] = run_id

    def enter(self, run: HeldRun) -> bool:
        """The run begins; False where its claim was given up after it was expected."""
        with self._lock:
            self.active[run.run_id] = run
            if run.run_id in self._cancelled:
                self._cancelled.discard(run.run_id)
                run.is_cancelled = True
            return self._about_to_begin.pop(run.claim, None) is not None

    def leave(self, run: HeldRun) -> None:
        """The run has left memory, or never came."""
        with self._lock:
            self._about_to_begin.pop(run.claim, None)
            if self.active.get(run.run_id) is run:
                del self.active[run.run_id]
            if self._is_awaited:
                self._left.notify_all()

    def children_of(self, parent: Run) -> Children:
        """Those of a run that makes one now; two of its threads may each make the first."""
        if parent.children is NO_CHILDREN:
            with self._lock:
                if parent.children is NO_CHILDREN:
                    parent.children = Children()
        return parent.children

    def among(self, run_ids: Collection[RunId]) -> list[RunId]:
        """Which of these runs are held here."""
        with self._lock:
            return [run_id for run_id in (*self.active, *self._about_to_begin.values()) if run_id in run_ids]

    def is_known(self, run_id: RunId) -> bool:
        """Whether the run is held here, or about to begin."""
        with self._lock:
            return run_id in self.active or run_id in self._about_to_begin.values()

    def note_cancel(self, run_id: RunId) -> HeldRun | None:
        """The run has a cancel. Who has not begun yet learns it then; else here it is."""
        with self._lock:
            if run_id in self._about_to_begin.values():
                self._cancelled.add(run_id)
            return self.active.get(run_id)

    def forget(self, claim: str) -> None:
        """The run will not begin after all; nor is it held."""
        with self._lock:
            run_id = self._about_to_begin.pop(claim, "")
            if run_id not in self._about_to_begin.values():  # it may be back already, under another claim
                self._cancelled.discard(run_id)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held here."""
        return not (self.active or self._about_to_begin)

    def give_up(self) -> list[HeldRun]:
        """No claim is ours any more: whom to tell."""
        with self._lock:
            self._about_to_begin.clear()
            self._cancelled.clear()
            return list(self.active.values())

    def known(self) -> tuple[list[RunId], list[HeldRun]]:
        """The ids of all that is held here, and the runs among them that have begun."""
        with self._lock:
            return [*self.active, *self._about_to_begin.values()], list(self.active.values())

    def wait_until_empty(self, deadline: float) -> None:
        """Block until every run has left, or it is `deadline` (monotonic)."""
        with self._left:
            self._is_awaited = True
            while self.active and (left := deadline - time.monotonic()) > 0:
                self._left.wait(left)

    def renew_locks(self) -> None:
        """In a forked child: another thread of the parent may have been in the old ones."""
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)
