"""Bodies that an executor runs: a thread of the run hands them over and waits, and records what came of it here."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from ...._core.flow import Outcome
from ...._core.interruption import CANCELS_TASKS
from ...._core.lineage import Elsewhere, StepScope, body_elsewhere
from ...._core.step_call import StepCall
from ....errors import RecordedError, StepTimeoutError, UsageError
from ..found import found_function
from .leaving import check_program_goes_on
from .state import ThreadRun

Made = Callable[[], Executor]


class Executors:
    """Those that this process has made. Steps with the same function share what it makes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[int, Made], Executor] = {}
        """By the process too: a forked child has no threads of its parent's."""

    def get(self, given: Executor | Made) -> Executor:
        """The executor itself, or the one that the function has made."""
        if isinstance(given, Executor):
            return given
        key = os.getpid(), given
        with self._lock:
            known = self._made.get(key)
            if known is None:
                known = given()
                if not isinstance(known, Executor):
                    raise UsageError(
                        f"executor={given!r} made a {type(known).__name__}: no concurrent.futures.Executor"
                    )
                self._made[key] = known
            return known

    def drop(self, given: Executor | Made, broken: Executor) -> None:
        """It runs nothing any more: the function makes another one when that is needed."""
        if isinstance(given, Executor):
            return
        key = os.getpid(), given
        with self._lock:
            if self._made.get(key) is broken:
                del self._made[key]
        broken.shutdown(wait=False)


EXECUTORS = Executors()


def attempt_elsewhere(run: ThreadRun, call: StepCall, inside: StepScope) -> Outcome:
    """Hand the body over and wait. What it raises there is raised here."""
    definition = call.definition
    assert definition.executor is not None
    until = None if definition.timeout is None else time.monotonic() + definition.timeout
    executor = EXECUTORS.get(definition.executor)
    try:
        future = submit(executor, call, inside)
    except BrokenExecutor:
        EXECUTORS.drop(definition.executor, executor)
        raise
    except RuntimeError as error:
        check_program_goes_on(run, error)
        raise
    try:
        await_future(run, future, until)
        if not future.done():
            run.check_not_over()
            return Outcome(
                error=StepTimeoutError(f"step {definition.name} took longer than {definition.timeout} seconds")
            )
        if future.cancelled():
            run.check_alive()
            return Outcome(error=CancelledError(f"the executor of step {definition.name} has cancelled its body"))
    finally:
        future.cancel()
    try:
        return Outcome(future.result())
    except BrokenExecutor as error:
        EXECUTORS.drop(definition.executor, executor)
        return Outcome(error=error, is_cut_off=True)


def submit(executor: Executor, call: StepCall, inside: StepScope) -> Future[Any]:
    """A thread of this process runs the body as it is, in its context; elsewhere it is found by its name."""
    definition = call.definition
    if type(executor) is ThreadPoolExecutor:
        return executor.submit(copy_context().run, partial(definition.function, *call.args, **call.kwargs))
    module, qualname = definition.found_as
    name, attempt = definition.name if definition.is_found_decorated else "", (inside.idempotency_key, inside.attempt)
    found_function(module, qualname, name)
    return executor.submit(run_body, module, qualname, name, attempt, call.args, call.kwargs)


def await_future(run: ThreadRun, future: Future[Any], until: float | None) -> None:
    """Wait until it is done or late, or its outcome could not be recorded. If the run is cancelled, so is what has not
    begun; a body that runs is waited for, so that nothing undoes it before it has ended.
    """
    changed: threading.Condition = run.state.changed
    future.add_done_callback(lambda _: run.state.tell_all())
    while not future.done() and run.may_finish:
        seen, left = run.interruption, None if until is None else until - time.monotonic()
        if (seen in CANCELS_TASKS and future.cancel()) or (left is not None and left <= 0):
            return
        with changed:
            if not future.done() and run.interruption == seen:
                changed.wait(left)


def run_body(
    module: str, qualname: str, name: str, attempt: tuple[str, int], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """In the other process: run the body of the step, or without a name the function, outside any run. An error that
    could not be read where it goes is told as a `RecordedError`, since a pool would break by it; so is the end of that
    process, which is not ours.
    An attempt has its number: Dask takes calls with the same arguments for the same one.
    """
    body = found_function(module, qualname, name)
    context = Context()
    context.run(body_elsewhere.set, Elsewhere(attempt[0]))
    try:
        return context.run(body, *args, **kwargs)
    except SystemExit as error:
        raise RecordedError("builtins:SystemExit", f"the body called sys.exit({error.code!r})") from None
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
        except Exception:
            kind = type(error)
            raise RecordedError(f"{kind.__module__}:{kind.__qualname__}", str(error)) from None
        raise
