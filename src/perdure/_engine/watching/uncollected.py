"""Failures that nobody looks at: each is logged once, as an error with its traceback, so that none passes in silence.

Who waits for a run, or asks for its outcome, has collected it. A run that nobody can ask for any more, since every
handle of it is gone, is logged when it fails; one with a handle is logged when the last handle goes. A child is its
parent's to collect: it is logged when the parent has ended without. Known is what this process knows: who waits in
another one gets the error there, and it is logged here all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..._core.run import Run
from ..._entries import EndedRun
from ...stores.protocol import Runs
from ...typing import RunId

if TYPE_CHECKING:
    from ..._core.serialization import Serializer

log = logging.getLogger("perdure")


class Uncollected:
    """One for each runtime. Each change is a single operation of a dict: handles go at any moment, in any thread."""

    def __init__(self, runs: Runs, serializer: Serializer) -> None:
        self._runs = runs
        self._serializer = serializer
        self._handles: dict[RunId, int] = {}
        """How many handles there are of a run, for those that have any."""
        self._starting: dict[RunId, None] = {}
        """Those whose starters are about to have their handles."""
        self._failed: dict[RunId, tuple[str, EndedRun]] = {}
        """What failed and may yet be collected, with the name of its function."""
        self._collected: dict[RunId, None] = {}
        """Of those that have handles: whose failure somebody knows, and this process does not."""
        self._orphans: dict[RunId, tuple[str, EndedRun, RunId]] = {}
        """Children whose parent is not here; it may have ended, or may ask for them in its next life."""

    @contextmanager
    def starting(self, run_ids: Collection[RunId]) -> Iterator[None]:
        """Whoever starts these has their handles at the end of this: one that fails before is not lost."""
        self._starting.update(dict.fromkeys(run_ids))
        try:
            yield
        finally:
            for run_id in run_ids:
                self._starting.pop(run_id, None)
                if run_id not in self._handles:
                    self._give_up(run_id)

    def hold(self, run_id: RunId) -> None:
        """Somebody has a handle of the run."""
        self._handles[run_id] = self._handles.get(run_id, 0) + 1

    def drop(self, run_id: RunId) -> None:
        """A handle is gone; with the last one a failure will not be collected any more."""
        left = self._handles.pop(run_id, 1) - 1
        if left > 0:
            self._handles[run_id] = left
        else:
            self._collected.pop(run_id, None)
            self._give_up(run_id)

    def collect(self, run_id: RunId) -> None:
        """Somebody knows that the run has failed; from the database perhaps, and sooner than this process."""
        if run_id in self._handles:
            self._collected[run_id] = None
        if self._failed.pop(run_id, None) is not None:
            self._collected.pop(run_id, None)

    def note(self, run: Run, ended: EndedRun, *, is_told: bool, parent: Run | None) -> None:
        """The run has failed here. `is_told`: somebody waited for it. `parent` is its parent, if that is here."""
        if is_told or (parent is not None and parent.end is None):
            return
        if run.parent_id is not None and parent is None:
            self._orphans[run.run_id] = (run.name, ended, run.parent_id)
        elif run.parent_id is None and (run.run_id in self._starting or run.run_id in self._handles):
            self._failed[run.run_id] = (run.name, ended)
            if run.run_id in self._collected:
                self._failed.pop(run.run_id, None)
                self._collected.pop(run.run_id, None)
        else:
            self._complain(run.name, ended)

    def _give_up(self, run_id: RunId) -> None:
        """Nobody will collect it."""
        if (failed := self._failed.pop(run_id, None)) is not None:
            self._complain(*failed)

    def parent_ended(self, parent: Run) -> None:
        """The run has ended: the failures of its children that it has not asked for are nobody's any more."""
        unseen = list(parent.children.unseen)
        for child in self._runs.ended(unseen):
            self._complain("a child that it did not wait for", child, of=parent)

    def look_for_orphans(self) -> None:
        """Ask whether the parents of the orphans have ended: the others collect in their next life, or end without."""
        orphans = dict(self._orphans)
        if not orphans:
            return
        over = {ended.run_id for ended in self._runs.ended(list({parent for _, _, parent in orphans.values()}))}
        for run_id, (name, ended, parent_id) in orphans.items():
            self._orphans.pop(run_id, None)
            if parent_id in over:
                self._complain(name, ended)

    def close(self) -> None:
        """This process shuts down: what has not been collected will not be."""
        while self._failed:
            self._complain(*self._failed.popitem()[1])

    def _complain(self, name: str, ended: EndedRun, *, of: Run | None = None) -> None:
        error: BaseException | None = None
        if ended.output is not None:
            try:
                error = self._serializer.load_error(ended.output)
            except Exception as unreadable:  # whatever it is, it must not hide that the run has failed
                error = unreadable
        whose = f"of {name}" if of is None else f", {name} of run {of.run_id} of {of.name},"
        log.error("run %s %s has failed, and nobody has asked for its outcome", ended.run_id, whose, exc_info=error)
