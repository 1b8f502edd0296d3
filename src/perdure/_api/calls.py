"""What a call of a decorated function does, by where it is made: in a workflow, in a step, or outside any run."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._core.definitions import Definition
from .._core.flow import adrive, drive
from .._core.flows.child import await_run, start_child, unwrap_end
from .._core.lineage import Branch, scope
from .._core.purity import check_may_act
from .._core.retry import ON_CONFLICT
from .._core.step_call import step_call
from .._core.tracebacks import forget_frames
from .._engine.hosting.asyncio.tasks import current_task, own_branch
from .._engine.ids import fresh_id
from .._engine.runtime import Runtime
from .._entries import RunCreated
from ..errors import LineageError, UsageError
from ..typing import RunId
from .app import blocked_loop, current_runtime, launched_runtimes
from .driving import call_recorded, named
from .handle import Handle
from .options import PLAIN
from .starting import make_child_entry, make_entry


def call_step(definition: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """In a workflow: recorded. In a step or outside any run: the plain function."""
    here = scope.get()
    if type(here) is not Branch:
        if here is None:
            check_context(definition)
        elif not definition.is_pure:
            check_may_act(here, f"step {definition.name}, which it calls,")
        return definition.function(*args, **kwargs)
    branch = own_branch(here)
    if definition.is_async and not branch.is_async:
        raise UsageError(
            f"step {definition.name} is async and the workflow that calls it is not: make the workflow `async def`, or "
            f"`perdure.start({definition.function.__name__}, ...).result()`"
        )
    if branch.is_async and not definition.is_async and may_pause(definition):
        raise UsageError(
            f"step {definition.name} is sync, and the pauses between its retries would stop the event loop of the "
            "async workflow that calls it: make it `async def`, start it (`await perdure.start(...)`), or give it "
            "Retry(initial_seconds=0)"
        )
    if branch.is_async and definition.executor is not None:
        raise UsageError(
            f"step {definition.name} is sync and its body runs elsewhere: to wait for it would stop the event loop "
            f"of the async workflow that calls it. Start it: `await perdure.start({definition.function.__name__}, ...)`"
        )
    return call_recorded(branch, step_call(branch.run, definition, branch.next_key(), args, kwargs))


def may_pause(definition: Definition) -> bool:
    """Whether there may be a pause between two attempts of the body, or of what is asked about it."""
    if definition.retry is ON_CONFLICT:
        return False
    asked = definition.reconcile
    return definition.retry.may_pause or (asked is not None and asked.retry.may_pause)


_warned: set[str] = set()


def check_context(definition: Definition) -> None:
    """A step without any context, in a thread or callback while runs are active, has probably lost its run."""
    runtime = next((runtime for runtime in launched_runtimes() if runtime.held.active), None)
    if runtime is None or (threading.current_thread() is threading.main_thread() and not in_callback()):
        return
    if current_task() is not None:
        return
    message = (
        f"step {definition.name} was called in a thread or callback that belongs to no run while runs are active: it "
        "runs unrecorded. Inside a workflow use perdure.threads(), or tasks of the workflow's own loop."
    )
    if runtime.options.strict:
        raise LineageError(message)
    if definition.name not in _warned:
        _warned.add(definition.name)
        warnings.warn(message, RuntimeWarning, stacklevel=4)


def in_callback() -> bool:
    """Whether an event loop runs in this thread but no task of it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return current_task() is None


def call_workflow(definition: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """In a workflow: a child, waited for. In a step: the plain function. Outside: a run, waited for."""
    here = scope.get()
    if type(here) is Branch:
        return call_child(definition, own_branch(here), args, kwargs)
    if here is not None:
        return definition.function(*args, **kwargs)
    runtime = current_runtime()
    entry = make_entry(runtime, definition, (args, kwargs), PLAIN)
    if definition.is_async:
        return named(acall_here(runtime, definition, entry), definition)
    return call_here(runtime, definition, entry)


def call_child(definition: Definition, branch: Branch, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A workflow called in a workflow."""
    run = branch.run
    if definition.is_async and not branch.is_async:
        raise UsageError(
            f"workflow {definition.name} is async and the one that calls it is not: "
            f"`perdure.start({definition.function.__name__}, ...).result()` instead"
        )
    entry = make_child_entry(branch, definition, (args, kwargs), PLAIN)
    key = branch.next_key()
    if definition.is_async:

        async def call() -> Any:
            try:
                child = await adrive(start_child(run, entry), run)
                return await adrive(await_run(run, key, child), run)
            except BaseException as error:
                forget_frames(error)
                raise

        return named(call(), definition)
    if branch.is_async:
        raise UsageError(
            f"workflow {definition.name} is sync and would block the event loop of the async workflow that calls it: "
            f"`await perdure.start({definition.function.__name__}, ...)` instead"
        )
    return drive(await_run(run, key, drive(start_child(run, entry), run)), run)


def call_here(runtime: Runtime, definition: Definition, entry: RunCreated) -> Any:
    """Execute a fresh sync run on this thread. Its creation shares the commit of whatever it records first."""
    entry.held_as = claim = fresh_id()
    with blocked_loop(runtime), collecting(runtime, entry.run_id):
        run, outcome = runtime.execution.call(entry, claim, definition)
        if run.end is not None:
            return unwrap_end(runtime.serializer, run.end)
        if outcome is not None and isinstance(outcome.error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            raise outcome.error
        return Handle[Any](runtime, entry.run_id).result()  # it was parked, or goes on elsewhere


@contextmanager
def collecting(runtime: Runtime, run_id: RunId) -> Iterator[None]:
    """Whoever calls a workflow collects its outcome, unless he is cancelled first."""
    runtime.uncollected.hold(run_id)
    try:
        yield
    except asyncio.CancelledError:
        raise
    except BaseException:
        runtime.uncollected.collect(run_id)
        raise
    finally:
        runtime.uncollected.drop(run_id)


async def acall_here(runtime: Runtime, definition: Definition, entry: RunCreated) -> Any:
    """Execute a fresh async run on this loop, in a task of its own: whoever cancels the waiter does not cancel
    the run.
    """
    try:
        return await call_on_loop(runtime, definition, entry)
    except BaseException as error:
        forget_frames(error)
        raise


async def call_on_loop(runtime: Runtime, definition: Definition, entry: RunCreated) -> Any:
    """Its task, then its outcome."""
    entry.held_as = claim = fresh_id()
    with collecting(runtime, entry.run_id):
        run, outcome = await runtime.execution.acall(entry, claim, definition)
        if run.end is not None:
            return unwrap_end(runtime.serializer, run.end)
        if outcome is not None and isinstance(outcome.error, (KeyboardInterrupt, SystemExit)):
            raise outcome.error
        return await Handle[Any](runtime, entry.run_id).wait()
