"""Going on as a new run: `continue_as_new`."""

from __future__ import annotations

from typing import Any, NoReturn

from .._core.definitions import DEFINITIONS
from .._core.flows.renewal import leave_life
from .._core.lineage import Branch, scope
from .._engine.hosting.asyncio.tasks import own_branch
from ..errors import UsageError


def continue_as_new(*args: Any, **kwargs: Any) -> NoReturn:
    """End this life of the run and go on with the same workflow, these arguments and an empty history, in one commit.

    For a workflow that goes on for ever, or for very long: its history, which is read after a crash, stays short. It
    does not return: it raises what no `except Exception` takes, and is not awaited in an async workflow either. The
    run keeps its id, so its handles, its parent and those who send to it notice nothing; what `result()` gives is
    what its last life gives. It keeps its deadline, its attributes, what it has said by events, and the messages that
    it has not received. What this life has done is done: it is not undone when a later one fails. Children that have
    not ended go on.

    Of a method the first argument is its object, as in a call by the class. Raises `UsageError` outside a workflow's
    own code, in one of its branches, and for arguments that do not fit; `SerializationError` for those that cannot be
    stored.
    """
    here = scope.get()
    if type(here) is not Branch:
        raise UsageError(
            "continue_as_new() is for the code of a workflow: it ends the run's life that this code executes"
        )
    branch = own_branch(here)
    run = branch.run
    if branch.path != run.root_path:
        raise UsageError(
            f"continue_as_new() in a branch of run {run.run_id} ({branch.path.rstrip('/')}) would end that branch "
            "alone: let it return, and continue where the workflow waits for it"
        )
    definition = DEFINITIONS.get(run.name)
    assert definition is not None  # its code is running
    try:
        stored, _ = definition.store_arguments(run.serializer, args, kwargs)
    except TypeError as error:
        raise UsageError(f"continue_as_new: the arguments do not fit {definition.name}: {error}") from error
    leave_life(run, stored)
