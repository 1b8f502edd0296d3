"""Long steps: how far a body has come, and what the next attempt of it begins with."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable
from functools import partial
from typing import Any, TypeVar

from .._core.flows.saves import entry_of
from .._core.lineage import Branch, StepScope, body_elsewhere, scope
from .._core.purity import check_may_act
from .._engine.door import Door
from .._engine.journal.lanes import Lane
from .._engine.watching.reports import report_of
from .._engine.watching.saving import note_saved, save_now
from .._entries import Stored, ValueSaved, Verdict
from ..errors import UsageError
from ..typing import RunId
from .app import runtime_of
from .driving import is_coroutine_frame
from .recorded_values import Done
from .shown_runs import StepProgress, progress_of

D = TypeVar("D")

LONGEST_NOTE = 500
NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""What databases refuse."""


def progress(done: float, total: float | None = None, *, note: str | None = None) -> None:
    """In a step's body: say how far it has come, for whoever looks: `Handle.progress`, `runs.get`, `perdure runs show`.

    Cheap enough for every turn of a loop: what was said last is written once a second, with the commits of others,
    and is seen within a second. `done` and `total`, a number each, in any unit; without a `total` it is not known how
    much there is. `note`: a text of at most 500 characters. Nothing is decided by it, and it is gone when the step's
    outcome is recorded. Outside any run it does nothing. Raises `UsageError` in a workflow, and for what is no number
    or no text.
    """
    here = scope.get()
    if type(here) is not StepScope:
        check_place(here, "progress")
        if (worker := worker_elsewhere()) is not None:
            check_numbers(done, total, note)
            worker.progress(done, total, note)
        return
    report = here.report or report_of(here)
    if type(done) is not int or type(total) is not int or note is not None:
        check_numbers(done, total, note)
    report.done, report.total, report.note = done, total, note
    if not report.is_new:
        runtime_of(here.run).reports.tell(report)


def read_progress(door: Door, run_id: RunId) -> list[StepProgress]:
    """How far the steps of a run have come, outside workflows."""
    if type(scope.get()) is Branch:
        raise UsageError("progress() in a workflow would be answered otherwise at a replay: ask in a step")
    door.check_open()
    return [progress_of(row) for row in door.store.finder.progress([run_id])]


def check_numbers(done: object, total: object, note: object) -> None:
    """Raise `UsageError` for what cannot be shown."""
    for what, number in (("done", done), ("total", total)):
        is_missing = number is None and what == "total"
        if not is_missing and (
            isinstance(number, bool) or not isinstance(number, int | float) or not -math.inf < number < math.inf
        ):
            raise UsageError(f"progress: {what}={number!r}: give a number")
    if note is not None and (not isinstance(note, str) or len(note) > LONGEST_NOTE or NO_TEXT.search(note)):
        raise UsageError(f"progress: note={str(note)[:40]!r}: give a text of at most {LONGEST_NOTE} characters")


def check_place(here: Branch | StepScope | None, what: str) -> None:
    """Raise `UsageError` in a workflow."""
    if type(here) is Branch:
        raise UsageError(
            f"{what}() is for the body of a step: what a workflow has done is recorded, step by step; call it in a step"
        )


def worker_elsewhere() -> Any:
    """What talks to the process that the run is in, in a body that has a process of its own; None anywhere else."""
    there = body_elsewhere.get()
    return None if there is None else there.worker


def save(value: object) -> Awaitable[None]:
    """In a step's body: keep a value for its next attempt, whoever makes it; `await` it in async code. It is durable
    when it returns, so a call costs a commit: make one now and then, not with every turn of a loop.

    The last one counts. It is there for `saved()` as long as the step has no outcome, and then gone. It is fenced:
    whoever has lost the run saves nothing, and gets `RunInterrupted`. Any value that can be stored;
    `SerializationError` else. Outside any run it does nothing. Raises `UsageError` in a workflow, and while a
    transactional step holds the database.
    """
    here = scope.get()
    if type(here) is not StepScope:
        check_place(here, "save")
        if (worker := worker_elsewhere()) is not None:
            worker.save(value)
        return Done()
    check_may_act(here, "save()")
    if here.holds_database:
        raise UsageError(
            "save() while this step's transaction is open in the same SQLite file would wait for itself: save before it"
        )
    run = here.run
    run.check_not_over()
    stored, _ = run.serializer.accept(value, what="what the step saves")
    runtime = runtime_of(run)
    if is_coroutine_frame():
        return save_on_loop(runtime, here, entry_of(here, stored), stored)
    save_now(runtime.journal, here, stored)
    return Done()


async def save_on_loop(runtime: Any, here: StepScope, entry: ValueSaved, stored: Stored) -> None:
    """The same on an event loop, which goes on meanwhile."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Verdict] = loop.create_future()
    runtime.journal.append(Lane(), entry, partial(runtime.wakes.wake, loop, future), leads=True)
    runtime.execution.loop_host.leaders.of(loop).call(loop)
    note_saved(here, stored, await future)


def saved(default: D = None) -> Any | D:  # type: ignore[assignment]  # None is a default like any other
    """In a step's body: what an earlier attempt of this call has saved last, in whatever process; else the `default`.

    A value of its own at every call. Outside any run, where nothing is saved, the default. Raises `UsageError` in a
    workflow.
    """
    here = scope.get()
    if type(here) is not StepScope:
        check_place(here, "saved")
        worker = worker_elsewhere()
        return default if worker is None else worker.load_saved(default)
    stored = here.run.saves.get(here.key)
    return default if stored is None else here.run.serializer.load(stored)
