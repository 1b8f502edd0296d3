"""Questions to a run that nobody holds: it is replayed from its record, and asked where that ends.

What would end or change it has no say: a run that was cancelled, or is too late, is asked like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from .._core.run import Run
from .._engine.checking.hosts import Findings
from .._engine.checking.reading import ReadOnly
from .._engine.hosting.live_answers import answer_of
from .._engine.runtime import Runtime
from .._entries import Answer, HistoryRows
from ..errors import PerdureError
from ..stores.protocol import Runs, Store
from ..typing import RunId
from .replaying import Replayer


class PastRuns:
    """The runs of a store, of which none has a cancel."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def histories(self, run_ids: Sequence[RunId]) -> list[HistoryRows]:
        """What the runs have recorded."""
        found = self._runs.histories(run_ids)
        return [HistoryRows(rows.checkpoints, rows.children, False) for rows in found]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runs, name)


class PastOnly(ReadOnly):
    """A store that reads, and tells of no cancel."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.runs = PastRuns(store.runs)


class AnswerFindings(Findings):
    """Asks the run's code where the record ends."""

    def __init__(self, name: str, args: Sequence[Any]) -> None:
        super().__init__()
        self.answer: Answer | None = None
        self._name = name
        self._args = args

    def note(self, run: Run, difference: str | None) -> None:
        """Up to here it was replayed, unless it differs."""
        if difference is None and self.answer is None and run.run_id not in self.of:
            self.answer = answer_of(run, self._name, self._args)
        super().note(run, difference)


def replayed_answer(runtime: Runtime, run_id: RunId, name: str, args: Sequence[Any]) -> Answer | None:
    """What the run's code answers, replayed on this thread; None where there is no such run, or its code is not here.
    Nothing is written, and no step's body runs.
    """
    claimed = runtime.store.questions.run(run_id)
    definition = None if claimed is None else runtime.definitions.get(claimed.name)
    if claimed is None or definition is None:
        return None
    findings = AnswerFindings(name, args)
    past = cast("Store", PastOnly(runtime.store))
    replayer = Replayer(past, runtime.options, runtime.definitions, findings)
    asked = replace(claimed, is_cancelled=False, deadline=None)
    with asyncio.Runner() as runner:
        replayer.replay(asked, definition, runner)
    if findings.answer is not None:
        return findings.answer
    why = findings.of.get(run_id) or "it did not come to the end of its record"
    error = PerdureError(
        f"run {run_id} of {claimed.name} cannot be asked for {name!r}, since it is not replayed: {why}"
    )
    return Answer("error", runtime.serializer.dump_error(error))
