"""A step's flow, driven as the branch that calls it needs: with threads, with await, or sync on an event loop."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Coroutine
from typing import Any

from .._core.definitions import Definition
from .._core.flow import adrive, drive
from .._core.flows.step import run_step
from .._core.lineage import Branch
from .._core.step_call import StepCall
from .app import runtime_of


def call_recorded(branch: Branch, call: StepCall) -> Any:
    """The step's outcome, run or recalled; of an async step an awaitable of it."""
    run, definition = branch.run, call.definition
    if definition.is_async:
        return named(adrive(run_step(call), run), definition)
    if not branch.is_async:
        call.limits = branch.limits
        return drive(run_step(call), run)
    call.is_instant = True
    return drive(run_step(call), run, runtime_of(run).execution.inline_host)


def is_coroutine_frame() -> bool:
    """Whether the code that calls the function that calls this is a coroutine's, and can await."""
    flags = sys._getframe(2).f_code.co_flags
    return bool(flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))


def named(coroutine: Any, definition: Definition) -> Coroutine[Any, Any, Any]:
    """Give the driver's coroutine the name of what it drives, for warnings and for a task's branch."""
    coroutine.__qualname__ = definition.qualname
    return coroutine  # type: ignore[no-any-return]  # Coroutine has no names to set, its implementations do
