"""`@workflow` and `@step`: bare or with options, on functions, coroutine functions and methods.

What they return is an ordinary function with the same signature, which knows its definition.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from .._core.definitions import DEFINITIONS, DURABLE_CODE, Definition, find_definition
from .._core.given import flag
from .._core.purity import check_pure
from .._core.reconciling import check_undo, reconciling_of
from .._core.retry import NO_RETRY, retry_of
from .._core.tracebacks import forget_frames
from ..typing import Seconds
from .calls import call_step, call_workflow
from .executors import runs_in
from .step_options import StepOptions, check_known

P = ParamSpec("P")
R = TypeVar("R")


@overload
def workflow(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    max_attempts: int = 10,
    keep_for: Seconds | None = None,
    keep_runs: int | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def workflow(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    max_attempts: int = 10,
    keep_for: Seconds | None = None,
    keep_runs: int | None = None,
) -> Any:
    """Make a function a workflow: called, it executes durably and returns its value.

    It wires steps and touches nothing itself: after a crash it is run again from the top, with the recorded outcomes
    in the place of the steps that were done. What would differ then (the time, chance, I/O) belongs into a step, or is
    taken from `perdure.now`, `perdure.random` and `perdure.uuid4`. Logs and prints between steps may repeat.

    `name` is what the database calls it, by default `module:qualname`. A run that ends its worker's process at each of
    `max_attempts` attempts without recording a step in between ends as `dead`.

    `keep_for` (a minute or longer) and `keep_runs`: its runs are removed so long after their end, or when so many newer
    ones have ended, with all that they have made; what it says is in the place of what the settings say.
    """

    def decorate(function: Any) -> Any:
        return wrap(function, "workflow", name=name, max_attempts=max_attempts, keep_for=keep_for, keep_runs=keep_runs)

    return decorate if function is None else decorate(function)


@overload
def step(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def step(**options: Unpack[StepOptions]) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def step(function: Any = None, /, **options: Any) -> Any:
    """Make a function a step: called in a workflow, its outcome is recorded and its body not run again after that.

    The body runs at least once: a crash while it runs repeats it. With `at_most_once` it is not repeated; a crash in it
    then raises `StepInterruptedError` in the workflow. With `reconcile` that function is asked instead, with the step's
    arguments: what it returns or raises is the step's outcome, and where it raises `StepNotDoneError` the body runs.
    `perdure.idempotency_key()` inside both is the same at every repetition.

    `undo` names a function, or a step with retries of its own, that undoes it: if the run fails, is cancelled or dies
    after the step has succeeded, it is called with the step's arguments and, where it has a parameter of that name,
    with `outcome`.

    `pure` says that the body has no effects: it computes something of its arguments, or reads what may change. Then it
    does not wait until what came before is committed, and what comes after it shares its commit. A crash may lose its
    outcome as long as nothing that can be seen came after it, and then it is computed anew, and may differ. What it
    does all the same is refused where Perdure sees it: `UsageError`.

    `retries`: a `Retry`, or a number of retries after the first attempt with the default pauses. `timeout` limits each
    attempt of an async step, in seconds or as a `timedelta`; a body that swallows being cancelled has timed out all the
    same. Arguments and result are stored as data; a value that cannot be is refused, an argument before the body runs.
    Outside any run, and inside another step, it is a plain call.

    On replay a step must be asked for with the arguments that are recorded. `ignore` names parameters that may differ;
    `fingerprint` is called with all arguments and gives the value that is compared in their place; `key` is called with
    the object that a method is bound to and gives what identifies it, where the object itself cannot be stored.

    `executor`: a `concurrent.futures.Executor`, or a function that makes one, called once at the first use and again
    where the one that it made has broken. The body of a sync step runs there, found by its module and name; outcome,
    retries and `timeout` (from being handed over) stay here. An async workflow starts such a step: `perdure.start`.

    `isolation="process"`: the body of a sync step runs in a process that nothing else runs in. It is ended when its
    `timeout` is over (in seconds, from when the body begins) or the run is cancelled, and with this process. Beside
    what that process has the body may take `memory` bytes, at least a mebibyte; then there is a `MemoryError`, on
    Linux. Where the process ends by itself the step has failed with `StepCrashedError`.
    """
    check_known(options)
    retry = retry_of(options.pop("retries", NO_RETRY), "@step")

    def decorate(function: Any) -> Any:
        return wrap(function, "step", retry=retry, **options)

    return decorate if function is None else decorate(function)


OTHER_OPTIONS = (("isolation", None), ("memory", None), ("pure", False))


def wrap(function: Any, kind: Any, **options: Any) -> Any:
    """The decorated function; a static or class method is unwrapped and wrapped again."""
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(wrap(function.__func__, kind, **options))
    reconcile, undo, where = (options.pop(name, None) for name in ("reconcile", "undo", "executor"))
    isolation, memory, pure = (options.pop(name, default) for name, default in OTHER_OPTIONS)
    is_elsewhere = where is not None or isolation is not None
    timeout = options.pop("timeout", None) if is_elsewhere else None
    definition = Definition(function, kind, **options)
    definition.is_pure = flag(pure, f"step {definition.name}: pure")
    runs_in(definition, where, isolation, memory, timeout)
    if reconcile is not None:
        definition.reconcile = reconciling_of(definition, reconcile)
    if undo is not None:
        check_undo(definition, undo)
        definition.undo = find_definition(undo) or wrap(undo, "step").__perdure__
    check_pure(definition)
    call = call_step if kind == "step" else call_workflow

    @functools.wraps(function)
    def durable(*args: Any, **kwargs: Any) -> Any:
        # Its own attribute, not the variable: %autoreload gives a function that was imported before the new one's.
        try:
            return call(durable.__perdure__, args, kwargs)  # type: ignore[attr-defined]
        except BaseException as error:
            forget_frames(error)
            raise

    if definition.is_async:
        mark_coroutine_function(durable)
    DURABLE_CODE.add(durable.__code__)  # type: ignore[attr-defined]  # a function
    durable.__perdure__ = definition  # type: ignore[attr-defined]  # how `start` and `submit` know it
    DEFINITIONS.add(definition)
    return durable


def mark_coroutine_function(function: Any) -> None:
    """Frameworks ask whether a function is async; it returns a coroutine without being `async def`."""
    if hasattr(inspect, "markcoroutinefunction"):  # Python 3.12
        inspect.markcoroutinefunction(function)
    else:
        function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
