"""Undoing what a run has done, when it fails or is cancelled: `@step(undo=...)` and `undo(...)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.definitions import DEFINITIONS, Definition, find_definition
from .._core.flow import drive
from .._core.flows.undo import UNDOER
from .._core.flows.undo import undo as undo_flow
from .._core.lineage import Branch, scope
from .._core.marks import told
from .._core.run import UNDO
from .._engine.hosting.asyncio.tasks import own_branch
from .._entries import Checkpoint, Stored
from ..errors import UndoFailedError, UsageError
from .app import current_runtime
from .decorators import step, workflow
from .handle import Handle
from .options import PLAIN
from .starting import bound, start_in_run

Undoable = tuple[str, str, tuple[str, str], tuple[str, str] | None]
"""A key, the name of a step, its stored arguments, and its stored outcome where that is what is to be undone."""


def undo(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
    """Say what undoes what the workflow does next: if the run fails, is cancelled or dies, the step `function` is run
    with these arguments. It is not awaited in an async workflow either.

    All that is to be undone is run one after the other, the last that was said first, each with its own retries.
    Committed before the next step's body. `UsageError` outside workflows, and for what is no step.
    """
    here = scope.get()
    if type(here) is not Branch:
        raise UsageError("undo() is for workflows: it says what is to be run if the run fails or is cancelled")
    definition = find_definition(function)
    if definition is None or definition.kind != "step":
        raise UsageError(
            f"undo({getattr(function, '__qualname__', function)!r}, ...): give a function with @step, so that another "
            "process can find it by name"
        )
    branch = own_branch(here)
    run, call = branch.run, bound(function, (args, kwargs))
    stored, _ = definition.store_arguments(run.serializer, *call)
    drive(undo_flow(run, branch.next_key(), definition.name, stored, is_instant=branch.is_async), run)


@workflow(name=UNDOER)
def undo_effects(run_id: str) -> list[str]:
    """Wait for the end of the run; if it has not succeeded, undo what it has done. The steps that were run for that."""
    if Handle[Any](current_runtime(), run_id).exception() is None:
        return []
    undone, failed = [], []
    for undoable in reversed(find_undoable(run_id)):
        name, error = undo_one(*undoable)
        if error is None:
            undone.append(name)
        else:
            failed.append(f"{name} (call {undoable[0]}): {told(error)}")
    if failed:
        raise UndoFailedError(
            f"{len(failed)} of {len(failed) + len(undone)} effects of run {run_id} could not be undone, see to them: "
            + "; ".join(failed)
        )
    return undone


@step(name="perdure:undoable")
def find_undoable(run_id: str) -> list[Undoable]:
    """What the run has recorded of its effects, in the order in which they began."""
    rows = current_runtime().store.runs.checkpoints(run_id)
    outcomes = {row.key: row for row in rows if row.kind == "step" and not row.is_error}
    return [found for row in rows if row.kind == "undo" if (found := undoable_of(row, outcomes)) is not None]


def undoable_of(row: Checkpoint, outcomes: dict[str, Checkpoint]) -> Undoable | None:
    """None where the step has not succeeded: there is nothing to undo."""
    if row.is_error:  # its run was forked from the one that has it to undo
        return None
    arguments = row.outcome.codec, row.outcome.text
    if not row.key.endswith(UNDO):
        return row.key, row.name, arguments, None
    outcome = outcomes.get(row.key.removesuffix(UNDO))
    return None if outcome is None else (row.key, row.name, arguments, (outcome.outcome.codec, outcome.outcome.text))


def undo_one(
    key: str, name: str, arguments: tuple[str, str], outcome: tuple[str, str] | None
) -> tuple[str, BaseException | None]:
    """The name of what was run, as a child of the undoer, and its error."""
    here = scope.get()
    assert isinstance(here, Branch)
    branch = own_branch(here)
    run, definition = branch.run, DEFINITIONS.get(name)
    undoing = definition if definition is None or outcome is None else definition.undo
    if undoing is None:
        run.differ(key, f"that {name} is to be undone", "no function for that: it is not registered here")

    def load() -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = undoing.load_arguments(run.serializer, Stored(*arguments))
        if outcome is not None and takes_outcome(undoing):
            kwargs = {**kwargs, "outcome": run.serializer.load(Stored(*outcome))}
        return args, kwargs

    return undoing.name, start_in_run(branch, undoing, run.read(key, load), PLAIN).exception()


def takes_outcome(undoing: Definition) -> bool:
    """Whether it wants to know what the step gave."""
    return "outcome" in undoing.signature.parameters
