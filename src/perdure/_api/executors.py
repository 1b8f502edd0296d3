"""`@step(executor=…)`: which steps can have their bodies run elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from .._core.definitions import Definition
from .._core.given import seconds_of
from ..errors import UsageError
from ..typing import Seconds


def runs_in(step: Definition, executor: Executor | Callable[[], Executor], timeout: Seconds | None) -> None:
    """The body of the step runs there from now on; the wait for it can be limited although it is no coroutine."""
    check_executor(step, executor)
    step.executor = executor
    if timeout is not None:
        step.timeout = seconds_of(timeout, f"step {step.name}: timeout", above_zero=True)


def check_executor(step: Definition, executor: Any) -> None:
    """Raise `UsageError` for what is no executor, and for a step whose body none can run."""
    if not isinstance(executor, Executor) and not callable(executor):
        raise UsageError(
            f"step {step.name}: executor={executor!r}: give a concurrent.futures.Executor, or a function without "
            "arguments that makes one"
        )
    if step.is_async:
        raise UsageError(
            f"step {step.name} is async and has an executor: that runs functions, not coroutines. Make it a `def`, or "
            "leave the executor out."
        )
    if step.binds:
        raise UsageError(
            f"step {step.name} is a method and has an executor: its object would be another one there, and what the "
            "body changes of it would be lost unseen. Make it a function of its module, with arguments."
        )
    parts = step.qualname.split(".")
    is_private = len(parts) > 1 and any(part.startswith("__") and not part.endswith("__") for part in parts)
    if is_private or any(part in ("<locals>", "<lambda>") for part in parts):
        raise UsageError(
            f"step {step.name} has an executor, and another process could not find {step.qualname} by that name: move "
            "it to the top level of its module."
        )
