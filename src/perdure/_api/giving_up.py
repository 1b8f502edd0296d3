"""Cancelling many runs at once: what `gather` and `map` do with the rest. In a run that is one recorded step."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from .._core.definitions import Definition
from .._core.flows.value import NO_ARGUMENTS
from .._core.lineage import Branch
from .._core.step_call import StepCall
from .._engine.door import Door
from ..errors import PerdureError, RunStuckError
from ..typing import RunId
from .driving import call_recorded
from .handle import Handle


def cancel_rest(runtime: Door, run_ids: Sequence[RunId]) -> int:
    """Ask for the end of each, in one transaction; how many had not ended."""
    return len(runtime.cancels.ask(run_ids))


async def acancel_rest(runtime: Door, run_ids: Sequence[RunId]) -> int:
    """The same without stopping the loop."""
    return await asyncio.to_thread(cancel_rest, runtime, run_ids)


REST = Definition(cancel_rest, "step", name="perdure:cancel_rest")
AREST = Definition(acancel_rest, "step", name="perdure:cancel_rest")


def cancel_all(handles: Sequence[Handle[object]], branch: Branch | None) -> None:
    """Cancel the runs; `branch` is where in a run the call is made."""
    if not handles:
        return
    runtime, run_ids = handles[0]._runtime, [handle.run_id for handle in handles]
    if branch is None:
        cancel_rest(runtime, run_ids)
    else:
        call_recorded(branch, StepCall(branch.run, REST, branch.next_key(), (runtime, run_ids), {}, NO_ARGUMENTS))


async def acancel_all(handles: Sequence[Handle[object]], branch: Branch | None) -> None:
    """The same on an event loop, which goes on meanwhile."""
    if not handles:
        return
    runtime, run_ids = handles[0]._runtime, [handle.run_id for handle in handles]
    if branch is None:
        await acancel_rest(runtime, run_ids)
    else:
        call = StepCall(branch.run, AREST, branch.next_key(), (runtime, run_ids), {}, NO_ARGUMENTS)
        await call_recorded(branch, call)


def check_ended(error: BaseException | None) -> None:
    """Raise what tells that a run has not ended: no policy tolerates that, for it is no failure."""
    if type(error) is PerdureError or isinstance(error, RunStuckError):
        raise error
