"""Pausing a function: what is made of it from now on, and what is ready, does not begin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .._core.lineage import Branch, scope
from ..errors import UsageError
from .overview import paused_functions_of
from .wanted_runs import name_of

if TYPE_CHECKING:
    from .._engine.door import Door


class FunctionPauses:
    """What `perdure.runs` and `client.runs` say of whole functions: workflows, and steps that are put on queues."""

    def __init__(self, door: Callable[[], Door]) -> None:
        self._door = door

    def pause_function(self, function: Callable[..., Any] | str, /) -> None:
        """Let no run of this workflow or step begin, or go on after it was parked, in any process, until
        `resume_function`; what executes goes on (`pause(workflow=function)` stops that, too). Runs are made as ever,
        and wait. A process knows of it when it looks next, within a second. A function or a name, also of one that no
        process knows so far. Idempotent.

        Refused in a workflow, with `UsageError`: a replay would do it again. Do it in a step.
        """
        self._pause(function, is_paused=True)

    async def apause_function(self, function: Callable[..., Any] | str, /) -> None:
        """`pause_function` from an event loop, which goes on meanwhile."""
        check_outside("pause_function")
        await asyncio.to_thread(self.pause_function, function)

    def resume_function(self, function: Callable[..., Any] | str, /) -> None:
        """Its runs begin again. Idempotent; refused as `pause_function` is."""
        self._pause(function, is_paused=False)

    async def aresume_function(self, function: Callable[..., Any] | str, /) -> None:
        """`resume_function` from an event loop, which goes on meanwhile."""
        check_outside("resume_function")
        await asyncio.to_thread(self.resume_function, function)

    def paused_functions(self) -> Mapping[str, datetime]:
        """The names of the functions that are paused, and since when, by the database's clock."""
        check_outside("paused_functions")
        return paused_functions_of(self._door().store)

    async def apaused_functions(self) -> Mapping[str, datetime]:
        """`paused_functions` from an event loop, which goes on meanwhile."""
        check_outside("paused_functions")
        return await asyncio.to_thread(self.paused_functions)

    def _pause(self, function: Callable[..., Any] | str, *, is_paused: bool) -> None:
        check_outside("pause_function" if is_paused else "resume_function")
        name = name_of(function)
        if name is None:
            raise UsageError("function=None: give a function with @workflow or @step, or its name")
        door = self._door()
        door.open(writes=True)
        door.store.limits.pause(name, is_paused=is_paused)
        door.told.limits(())


def check_outside(what: str) -> None:
    """Raise `UsageError` in a workflow."""
    if type(scope.get()) is Branch:
        raise UsageError(f"runs.{what}() in a workflow would be done again at a replay: do it in a step")
