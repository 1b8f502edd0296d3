"""What is to be undone if the run fails or is cancelled: recorded when it begins, with the arguments of its undoing.

With the first of it a second run is made, the *undoer*, which waits for the end of this one. So nothing depends on
this run's code once it has ended, however it did.
"""

from __future__ import annotations

from typing import Final

from ..._entries import RunCreated, StepRecorded, Stored
from ...typing import RunId
from ..flow import Flow, Record
from ..run import UNDO, Run
from ..serialization import Serializer
from ..step_call import StepCall
from .turn import catch_up

UNDOER: Final = "perdure:undo"
"""The workflow that undoes what a run has done."""


def undoer_id(run_id: RunId, incarnation: int = 0) -> RunId:
    """The run that undoes what this one has done; one that was started anew has another."""
    return f"{run_id}:undo:{incarnation}" if incarnation else f"{run_id}:undo"


def undo(run: Run, key: str, name: str, stored: Stored, *, is_instant: bool) -> Flow[None]:
    """Record, unless that was done before, that this step is to be run with these arguments. `is_instant`: it blocks an
    event loop.
    """
    run.check_alive()
    fingerprint, preview = run.serializer.digest(stored)
    if run.take(key, "undo", name, fingerprint, preview, stored) is not None:
        return
    if run.is_behind:
        yield from catch_up(run, key, f"undo of {name}", is_instant=is_instant)
    yield from record_undo(run, key, name, fingerprint, stored, preview)


def announce_undo(call: StepCall) -> Flow[None]:
    """Before the body of a step that can be undone. Its outcome says later whether there is anything to undo."""
    run, name, key = call.run, call.definition.name, call.key + UNDO
    recorded = run.undos.get(key)
    if recorded is None:
        what = f"what the undo of step {name} gets, its arguments"
        stored, _, _ = run.serializer.accept_arguments(call.args, call.kwargs, what=what)
        yield from record_undo(run, key, name, call.fingerprint, stored, call.preview)
    elif recorded != (name, call.fingerprint) and not (
        recorded[0] == name and run.serializer.is_as_before(recorded[1], None, call.fingerprint, call.compared)
    ):
        run.differ(call.key, f"the beginning of step {recorded[0]}", f"step {name}, or other arguments")


def record_undo(run: Run, key: str, name: str, fingerprint: str, stored: Stored, preview: str | None) -> Flow[None]:
    """The undoer first: what is recorded is undone, if it has to be."""
    if not run.has_undoer:
        yield Record(undoer_of(run))
        run.has_undoer = True
    run.undos[key] = name, fingerprint
    yield Record(
        StepRecorded(
            run.run_id,
            run.claim,
            run.next_entry_id(),
            key,
            "undo",
            name,
            fingerprint,
            False,
            stored,
            arguments=preview,
        )
    )


def undoer_of(run: Run) -> RunCreated:
    """The entry of the run that waits for the end of this one. It is no child: those are cancelled with it."""
    stored, fingerprint = undoer_arguments(run.serializer, run.run_id)
    made_by = f"{run.claim}:{run.next_entry_id()}"
    run_id = undoer_id(run.run_id, run.incarnation)
    return RunCreated(
        run_id, "workflow", UNDOER, fingerprint, stored, made_by, run.claim, attributes={"undo": run.run_id}
    )


def undoer_arguments(serializer: Serializer, run_id: RunId) -> tuple[Stored, str]:
    """What the undoer is called with."""
    stored, _, _ = serializer.accept_arguments((run_id,), {}, what="a run's id")
    return stored, serializer.fingerprint(stored)
