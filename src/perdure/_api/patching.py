"""`patched`: a workflow asks whether it goes by a change of its code."""

from __future__ import annotations

from .._core.flow import drive
from .._core.flows.patch import patch
from .._core.given import text_name
from .._core.lineage import Branch, scope
from .._engine.hosting.asyncio.tasks import own_branch
from ..errors import UsageError


def patched(name: str) -> bool:
    """Whether this run goes by the change of this name: `if perdure.patched("check-address"): ...`, with the code as it
    was under `else`. Not awaited in an async workflow either.

    True for runs that come here for the first time; that is recorded, and stays so. False for those that have recorded
    what comes after this place, with the code from before the change; and for as long as they live. The answer is one
    for the whole run: a name stands for one change, wherever it is asked for.

    For workflows: `UsageError` elsewhere.
    """
    text = text_name(name, "patched: name")
    here = scope.get()
    if type(here) is not Branch:
        raise UsageError(
            "patched() is for workflows, whose code is run again at a replay: what a step does may change at any time"
        )
    return drive(patch(own_branch(here).run, text), here.run)
