"""What a call of a decorated function does, by where it is made: in a workflow, in a step, or outside any run."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from ._core.definitions import Definition, find_definition
from ._core.flow import adrive, drive
from ._core.flows.child import await_run, check_created, child_id, start_child, unwrap_end
from ._core.flows.step import run_step
from ._core.lineage import Branch, scope
from ._core.step_call import StepCall
from ._engine.ids import fresh_id
from ._engine.lanes import Lane
from ._engine.runtime import Runtime
from ._engine.tasks import current_task, own_branch
from ._entries import RunCreated, Verdict
from .app import current_runtime, launched_runtimes
from .errors import LineageError, NotDurableError, UsageError
from .handle import Handle
from .typing import DEFAULT_QUEUE, RunId


@dataclass(frozen=True, slots=True)
class Submission:
    """How a run is to be started; never mixed with the function's own arguments."""

    id: RunId | None = None
    delay: float | None = None
    priority: int = 0

    def __post_init__(self) -> None:
        if self.id is not None and (not isinstance(self.id, str) or not self.id or len(self.id) > 500):
            raise UsageError("id= must be a text of 1 to 500 characters")
        if self.id is not None and ("\0" in self.id or not self.id.isprintable()):
            raise UsageError("id= must not contain control characters")
        if self.delay is not None and not 0 <= self.delay < 1e9:
            raise UsageError(f"delay={self.delay} must be a number of seconds, 0 or more")


PLAIN = Submission()


def call_step(definition: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """In a workflow: recorded. In a step or outside any run: the plain function."""
    here = scope.get()
    if type(here) is not Branch:
        if here is None:
            check_context(definition)
        return definition.function(*args, **kwargs)
    branch = own_branch(here, threading.get_ident)
    if definition.is_async and not branch.is_async:
        raise UsageError(
            f"step {definition.name} is async and the workflow that calls it is not: make the workflow `async def`, or "
            f"`perdure.start({definition.function.__name__}, ...).result()`"
        )
    run = branch.run
    key = branch.next_key()
    fingerprint, args, kwargs = definition.accept_step_arguments(run.serializer, args, kwargs)
    if definition.is_async:
        flow = run_step(StepCall(run, definition, key, args, kwargs, fingerprint))
        return named(adrive(flow, run), definition)
    if not branch.is_async:
        return drive(run_step(StepCall(run, definition, key, args, kwargs, fingerprint)), run)
    inline = run.host.runtime.execution.inline_host  # type: ignore[attr-defined]  # the engine's hosts have a runtime
    return drive(run_step(StepCall(run, definition, key, args, kwargs, fingerprint, is_instant=True)), run, inline)


def named(coroutine: Any, definition: Definition) -> Coroutine[Any, Any, Any]:
    """Give the driver's coroutine the name of what it drives, for warnings and task names."""
    coroutine.__qualname__ = definition.function.__qualname__
    coroutine.__name__ = definition.function.__name__
    return coroutine  # type: ignore[no-any-return]  # Coroutine has no names to set, its implementations do


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
        return call_child(definition, own_branch(here, threading.get_ident), args, kwargs)
    if here is not None:
        return definition.function(*args, **kwargs)
    runtime = current_runtime()
    entry = make_entry(runtime, definition, args, kwargs, PLAIN, DEFAULT_QUEUE)
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
    entry = make_child_entry(branch, definition, args, kwargs, PLAIN, DEFAULT_QUEUE)
    key = branch.next_key()
    if definition.is_async:

        async def call() -> Any:
            child = await adrive(start_child(run, entry), run)
            return await adrive(await_run(run, key, child), run)

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
    run, outcome = runtime.execution.call(entry, claim, definition)
    if run.end is not None:
        return unwrap_end(runtime.serializer, run.end)
    if outcome is not None and isinstance(outcome.error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
        raise outcome.error
    return Handle[Any](runtime, entry.run_id).result()  # it was parked, or goes on elsewhere


async def acall_here(runtime: Runtime, definition: Definition, entry: RunCreated) -> Any:
    """Execute a fresh async run on this loop, in a task of its own: whoever cancels the waiter does not cancel
    the run.
    """
    entry.held_as = claim = fresh_id()
    run, outcome = await runtime.execution.acall(entry, claim, definition)
    if run.end is not None:
        return unwrap_end(runtime.serializer, run.end)
    if outcome is not None and isinstance(outcome.error, SystemExit):
        raise outcome.error
    return await Handle[Any](runtime, entry.run_id).wait()


def start(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], submission: Submission, queue: str
) -> Handle[Any]:
    """Start a run and return when it is durable; inside a run, at once."""
    definition = definition_of(function)
    args = bound_args(function, definition, args)
    here = scope.get()
    if type(here) is Branch:
        return start_in_run(definition, own_branch(here, threading.get_ident), args, kwargs, submission, queue)
    runtime = current_runtime()
    entry = make_entry(runtime, definition, args, kwargs, submission, queue)
    verdicts: list[Verdict] = []
    lane = Lane()
    number = runtime.dispatcher.create(entry, lane, verdicts.append, leads=True)
    runtime.journal.wait(lane, number)
    return accept_handle(runtime, entry, verdicts[0])


async def astart(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], submission: Submission, queue: str
) -> Handle[Any]:
    """`start` on an event loop, which goes on until the run is durable."""
    definition = definition_of(function)
    args = bound_args(function, definition, args)
    here = scope.get()
    if type(here) is Branch:
        return start_in_run(definition, own_branch(here, threading.get_ident), args, kwargs, submission, queue)
    runtime = await asyncio.to_thread(current_runtime) if not any(launched_runtimes()) else current_runtime()
    runtime.loop = runtime.loop or asyncio.get_running_loop()
    entry = make_entry(runtime, definition, args, kwargs, submission, queue)
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Verdict] = loop.create_future()
    runtime.dispatcher.create(entry, Lane(), lambda verdict: runtime.wakes.wake(loop, future, verdict))
    return accept_handle(runtime, entry, await future)


def start_in_run(
    definition: Definition,
    branch: Branch,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    submission: Submission,
    queue: str,
) -> Handle[Any]:
    """Start a child; the journal keeps the order, so there is nothing to wait for."""
    run = branch.run
    entry = make_child_entry(branch, definition, args, kwargs, submission, queue)
    child = drive(start_child(run, entry), run)
    return Handle(run.host.runtime, child)  # type: ignore[attr-defined]  # the engine's hosts have a runtime


def definition_of(function: Any) -> Definition:
    """The definition, or the error that says how to make the function durable."""
    definition = find_definition(function)
    if definition is None:
        name = getattr(function, "__qualname__", None) or repr(type(function).__name__)
        raise NotDurableError(
            f"{name} cannot be started durably: decorate it with @perdure.workflow (it calls steps) or @perdure.step "
            "(it does one thing), so that another process can find it by name"
        )
    return definition


def bound_args(function: Any, definition: Definition, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments with what a bound method is bound to in front."""
    bound_to = getattr(function, "__self__", None)
    return args if bound_to is None or not definition.binds else (bound_to, *args)


def make_entry(
    runtime: Runtime,
    definition: Definition,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    submission: Submission,
    queue: str,
) -> RunCreated:
    """The entry for a run that is started outside any run."""
    stored, fingerprint = definition.store_arguments(runtime.serializer, args, kwargs)
    drawn = fresh_id()
    return RunCreated(
        submission.id or drawn,
        definition.kind,
        definition.name,
        fingerprint,
        stored,
        drawn,
        queue=queue,
        priority=submission.priority,
        due_at=due_at(submission),
        max_attempts=definition.max_attempts,
    )


def make_child_entry(
    branch: Branch,
    definition: Definition,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    submission: Submission,
    queue: str,
) -> RunCreated:
    """The entry for a child of the run that this call is made in."""
    run = branch.run
    run.check_alive()
    key = branch.next_key()
    stored, fingerprint = definition.store_arguments(run.serializer, args, kwargs)
    return RunCreated(
        submission.id or child_id(run.run_id, key),
        definition.kind,
        definition.name,
        fingerprint,
        stored,
        run.next_entry_id(),
        run.claim,
        run.run_id,
        key,
        queue=queue,
        priority=submission.priority,
        due_at=due_at(submission),
        max_attempts=definition.max_attempts,
    )


def due_at(submission: Submission) -> float | None:
    """When a delayed run is due."""
    return None if submission.delay is None else time.time() + submission.delay


def accept_handle(runtime: Runtime, entry: RunCreated, verdict: Verdict) -> Handle[Any]:
    """The handle of the run that was made, or of the same one that was there already."""
    check_created(entry, verdict)
    return Handle(runtime, entry.run_id)
