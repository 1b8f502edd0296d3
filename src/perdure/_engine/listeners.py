"""Who is told what happens to the runs of an instance: logs, metrics, a dashboard, tests."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from msgspec import Struct

from .._core.marks import call_of_mark_key
from .._core.run import Run
from .._entries import RunParked, StepRecorded
from ..stores.protocol import ClaimedRun
from ..typing import RunId, RunKind, RunState

log = logging.getLogger("perdure")


class RunFacts(Struct, frozen=True, gc=False):
    """What a `Listener` is told of a run. No values: those are the run's own."""

    run_id: RunId
    name: str
    """Of its function."""
    kind: RunKind
    queue: str
    attempt: int
    """The how manieth claim of it this is."""
    parent_id: RunId | None = None


class Listener:
    """Told what happens in this process to the runs of an instance: `perdure.launch(url, listeners=[MyListener()])`.

    Subclass it and override what you want to hear. Each method is called on the thread on which it happens, which may
    be an event loop's: it must return soon and make no durable call. What it raises is logged and changes nothing.
    """

    def claimed(self, run: RunFacts) -> None:
        """This worker has claimed the run from the database; it begins when it has a slot. A run that is started here
        and begins at once is not claimed.
        """

    def begun(self, run: RunFacts) -> None:
        """The run executes in this process from now on: its first time, or again."""

    def recorded(self, run: RunFacts, key: str, name: str, kind: str) -> None:
        """An outcome of a call in the run is committed: of a step (`kind` "step"), a sleep, a value. `key` is the
        call's place in the run, `name` the step's. Not told again on replay, nor of a step that is a run by itself.
        """

    def parked(self, run: RunFacts, due_at: float | None, reason: str | None) -> None:
        """The run has left memory: until a time (seconds since the epoch), until what it waits for has ended, or with
        a `reason`, until somebody mends it.
        """

    def ended(self, run: RunFacts, state: RunState) -> None:
        """The run's end is committed: "succeeded", "failed" or "cancelled"."""

    def fenced(self) -> None:
        """This worker was called dead by another one, or the database failed over: its runs go on elsewhere, and it
        joins again under a new id.
        """


class Listeners:
    """All of one instance. `are_any` is asked first where it costs something to tell."""

    __slots__ = ("_all", "are_any")

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._all = tuple(listeners)
        self.are_any = bool(self._all)

    def _tell(self, what: str, *facts: object) -> None:
        for listener in self._all:
            try:
                getattr(listener, what)(*facts)
            except Exception:
                log.exception("a listener failed when it was told that a run was %s", what)

    def claimed(self, runs: Sequence[ClaimedRun]) -> None:
        """These were claimed."""
        for run in runs if self._all else ():
            facts = RunFacts(run.run_id, run.name, run.kind, run.queue, run.attempts, run.parent_id)
            self._tell("claimed", facts)

    def begun(self, run: Run) -> None:
        """It executes."""
        if self._all:
            self._tell("begun", facts_of(run))

    def recorded(self, run: Run, entry: StepRecorded) -> None:
        """This is committed; a mark is no outcome."""
        if call_of_mark_key(entry.key, entry.kind) is None:
            self._tell("recorded", facts_of(run), entry.key, entry.name, entry.kind)

    def parked(self, run: Run, entry: RunParked) -> None:
        """It has left memory."""
        if self._all:
            self._tell("parked", facts_of(run), entry.due_at, entry.reason)

    def ended(self, run: Run, state: RunState) -> None:
        """Its end is committed."""
        if self._all:
            self._tell("ended", facts_of(run), state)

    def fenced(self) -> None:
        """The right to write is lost."""
        self._tell("fenced")


def facts_of(run: Run) -> RunFacts:
    """What is told of it."""
    return RunFacts(run.run_id, run.name, run.kind, run.queue, run.attempts, run.parent_id)
