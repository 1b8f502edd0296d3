"""What a handle asks of the database and for its run; in a run each answer is recorded, as a step's outcome is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .._core.absent import no_run
from .._core.definitions import Definition
from ..typing import RunId, RunState
from .explaining import explain

if TYPE_CHECKING:
    from .._engine.door import Door
    from ..stores.protocol import RunRow


def cancel_run(runtime: Door, run_id: RunId) -> bool:
    """Ask for the run's end."""
    return bool(runtime.cancels.ask([run_id]))


async def acancel_run(runtime: Door, run_id: RunId) -> bool:
    """The same without stopping the loop."""
    return await asyncio.to_thread(cancel_run, runtime, run_id)


def find_row(runtime: Door, run_id: RunId) -> RunRow:
    """The run as it stands in the database. Raises `RunNotFoundError` where it does not."""
    row = runtime.store.runs.row(run_id)
    if row is None:
        raise no_run(run_id)
    return row


def read_status(runtime: Door, run_id: RunId) -> RunState:
    """The run's state, now."""
    return find_row(runtime, run_id).state


async def aread_status(runtime: Door, run_id: RunId) -> RunState:
    """The same without stopping the loop."""
    return await asyncio.to_thread(read_status, runtime, run_id)


def read_reason(runtime: Door, run_id: RunId) -> str | None:
    """Why the run is in its state, as far as there is a reason."""
    return find_row(runtime, run_id).reason


CANCEL = Definition(cancel_run, "step", name="perdure:cancel")
ACANCEL = Definition(acancel_run, "step", name="perdure:cancel")
STATUS = Definition(read_status, "step", name="perdure:status")
ASTATUS = Definition(aread_status, "step", name="perdure:status")
REASON = Definition(read_reason, "step", name="perdure:reason")


def read_events(runtime: Door, run_id: RunId) -> dict[str, Any]:
    """What the run has said, the last of each key."""
    found = runtime.store.said.all_events(run_id)
    if not found:
        find_row(runtime, run_id)
    return {key: runtime.serializer.load(stored) for key, stored in found.items()}


async def aread_events(runtime: Door, run_id: RunId) -> dict[str, Any]:
    """The same without stopping the loop."""
    return await asyncio.to_thread(read_events, runtime, run_id)


EVENTS = Definition(read_events, "step", name="perdure:events")
AEVENTS = Definition(aread_events, "step", name="perdure:events")
EXPLAIN = Definition(explain, "step", name="perdure:explain")
