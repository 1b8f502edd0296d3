"""`executor=` and `isolation=`: which bodies can run elsewhere, and where."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from .._core.definitions import Definition
from .._core.given import seconds_of
from .._core.names import SESSION, module_name
from .._core.own_process import own_process_of
from ..errors import UsageError


def runs_in(step: Definition, executor: Any, isolation: Any, memory: Any, timeout: Any) -> None:
    """Where the body of the step runs from now on; then the wait for it can be limited although it is no coroutine.
    Raises `UsageError` for what cannot be.
    """
    own_process = own_process_of(isolation, memory, f"step {step.name}")
    if executor is None and own_process is None:
        return
    if executor is not None and own_process is not None:
        raise UsageError(f"step {step.name}: isolation= and executor= both say where its body runs: give one of them")
    if own_process is None:
        check_executor(step, executor)
        step.executor = executor
    else:
        check_body(step, "a process of its own")
        check_importable(step)
        step.executor = own_process
    if timeout is not None:
        step.timeout = seconds_of(timeout, f"step {step.name}: timeout", above_zero=True)


def check_executor(step: Definition, executor: Any) -> None:
    """Raise `UsageError` for what is no executor, and for a step whose body none can run."""
    if not isinstance(executor, Executor) and not callable(executor):
        raise UsageError(
            f"step {step.name}: executor={executor!r}: give a concurrent.futures.Executor, or a function without "
            "arguments that makes one"
        )
    check_body(step, "an executor")


def check_body(step: Definition, place: str) -> None:
    """Raise `UsageError` for a step whose body another process could not run."""
    if step.is_async:
        raise UsageError(
            f"step {step.name} is async and has {place}: that runs functions, not coroutines. Make it a `def`, or "
            "leave that out."
        )
    if step.binds:
        raise UsageError(
            f"step {step.name} is a method and has {place}: its object would be another one there, and what the "
            "body changes of it would be lost unseen. Make it a function of its module, with arguments."
        )
    _, qualname = step.found_as
    parts = qualname.split(".")
    is_private = len(parts) > 1 and any(part.startswith("__") and not part.endswith("__") for part in parts)
    if is_private or any(part in ("<locals>", "<lambda>") for part in parts):
        raise UsageError(
            f"step {step.name} has {place}, and another process could not find {qualname} by that name: move "
            "it to the top level of its module."
        )


def check_importable(step: Definition) -> None:
    """Raise `UsageError` for what stands in no module that a fresh process could import."""
    module, qualname = step.found_as
    name = module_name(module)
    if name == SESSION or name.startswith("notebook "):
        raise UsageError(
            f"step {step.name} has a process of its own, which could not import {qualname}: it stands in a session or "
            "a notebook. Move it into a module, and import it from there."
        )


def found_elsewhere(step: Definition, fn: Callable[..., Any]) -> None:
    """The body of this call is `fn`, under its own name. Raises `UsageError` where that leads to something else."""
    module, qualname = getattr(fn, "__module__", None), getattr(fn, "__qualname__", None)
    found: Any = sys.modules.get(module) if isinstance(module, str) else None
    for part in qualname.split(".") if isinstance(qualname, str) else ():
        found = getattr(found, part, None)
    if found is not fn or not isinstance(module, str) or not isinstance(qualname, str):
        raise UsageError(
            f"call({step.name!r}, ...): another process would have to find {qualname or type(fn).__name__} by its "
            "name, and that does not lead to it: write a function (`def`) at the top level of a module, and give it "
            "what it needs as arguments"
        )
    step.found_as, step.is_found_decorated = (module, qualname), False
