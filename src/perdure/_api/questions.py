"""What a handle can be asked about its run; in a run the answers are recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .._core.definitions import Definition
from .._core.flows.value import NO_ARGUMENTS
from .._core.lineage import Branch, scope
from .._core.step_call import StepCall
from .._engine.hosting.asyncio.tasks import own_branch
from ..typing import RunId, RunState, Seconds
from .asking import (
    AEVENTS,
    ASTATUS,
    EVENTS,
    EXPLAIN,
    REASON,
    STATUS,
    aread_events,
    aread_status,
    read_events,
    read_reason,
    read_status,
)
from .driving import call_recorded
from .explaining import Explanation, explain
from .long_steps import read_progress
from .shown_runs import StepProgress
from .streams import StreamReader, reader_of

if TYPE_CHECKING:
    from .._engine.door import Door


class Questions:
    """The part of a `Handle` that reads from the database, and waits for nothing."""

    __slots__ = ()

    if TYPE_CHECKING:
        run_id: RunId
        _runtime: Door

    def status(self) -> RunState:
        """The run's state, read from the database now: `ready`, `held` (by a worker), `parked`, or how it has ended.
        In a run the answer is recorded, as a step's outcome is. Raises `RunNotFoundError` where it was deleted.
        """
        return self._ask(STATUS, read_status)  # type: ignore[no-any-return]  # as STATUS says

    async def astatus(self) -> RunState:
        """`status` from an event loop, which goes on meanwhile."""
        return await self._ask(ASTATUS, aread_status)  # type: ignore[no-any-return]  # as ASTATUS says

    @property
    def reason(self) -> str | None:
        """Why the run is in its state, where there is something to say, such as what it waits to be mended. Read from
        the database now, as `status` is.
        """
        return self._ask(REASON, read_reason)  # type: ignore[no-any-return]  # as REASON says

    def progress(self) -> Sequence[StepProgress]:
        """How far the run's steps have come that are being executed, as their bodies say by `perdure.progress`; at most
        a second old. Raises `UsageError` in a workflow, for it is another at every replay.
        """
        return read_progress(self._runtime, self.run_id)

    def explain(self) -> Explanation:
        """In words, why the run does not go on: its place, limits and who holds the slots, pauses, workers that do not
        serve it, what it waits for. Read from the database now, as `status` is.
        """
        return self._ask(EXPLAIN, explain)  # type: ignore[no-any-return]  # as EXPLAIN says

    def events(self) -> dict[str, Any]:
        """What the run has said by `set_event`, the last of each key, read from the database now; while it runs and
        after. In a run the answer is recorded, as a step's outcome is.
        """
        return self._ask(EVENTS, read_events)  # type: ignore[no-any-return]  # as EVENTS says

    async def aevents(self) -> dict[str, Any]:
        """`events` from an event loop, which goes on meanwhile."""
        return await self._ask(AEVENTS, aread_events)  # type: ignore[no-any-return]  # as AEVENTS says

    def stream(self, key: str, *, offset: int = 0, timeout: Seconds | None = None) -> StreamReader:
        """The run's stream of this key, from an offset on: for `for` and `async for`, while the run goes on and after.
        `timeout`: so long each value is waited for, in seconds or as a `timedelta`, before `WaitTimeoutError`. See
        `StreamReader`.
        """
        return reader_of(self._runtime, self.run_id, key, offset, timeout)

    def _ask(self, definition: Definition, outside: Callable[[Door, RunId], Any]) -> Any:
        self._runtime.check_open()
        here = scope.get()
        return self._record(here, definition) if type(here) is Branch else outside(self._runtime, self.run_id)

    def _record(self, here: Branch, definition: Definition) -> Any:
        branch = own_branch(here)
        arguments = (self._runtime, self.run_id)
        return call_recorded(branch, StepCall(branch.run, definition, branch.next_key(), arguments, {}, NO_ARGUMENTS))
