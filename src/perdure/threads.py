"""Threads inside a sync workflow: a pool that carries the run's lineage into its threads."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from ._core.lineage import Branch, scope
from ._core.run import Run
from ._engine.tasks import own_branch
from .errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")


class BranchFuture(Future[R]):
    """A future whose wait counts as waiting for another branch of the same run."""

    run: Run | None = None

    def result(self, timeout: float | None = None) -> R:
        """See `Future.result`."""
        with Joining(self.run):
            return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """See `Future.exception`."""
        with Joining(self.run):
            return super().exception(timeout)


class Joining:
    """The calling thread waits for other threads of the run, and so does not keep it from being parked."""

    def __init__(self, run: Run | None) -> None:
        here = scope.get()
        self._state = run.state if run is not None and type(here) is Branch and here.run is run else None

    def __enter__(self) -> None:
        if self._state is not None:
            with self._state.changed:
                self._state.joining += 1
                self._state.reacting = None
                self._state.changed.notify_all()

    def __exit__(self, *_: object) -> None:
        if self._state is not None:
            with self._state.changed:
                self._state.joining -= 1


class Threads(Executor):
    """A thread pool for one workflow; outside a workflow an ordinary pool. Use it as a context manager."""

    def __init__(self, max_workers: int | None = None) -> None:
        if max_workers is not None and max_workers < 1:
            raise UsageError(f"threads(max_workers={max_workers}): give 1 or more")
        self._pool = ThreadPoolExecutor(max_workers, thread_name_prefix="perdure-branch")
        self._run: Run | None = None

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> BranchFuture[R]:
        """Run `fn` in a thread, as a branch of the workflow: its durable calls are recorded under that branch."""
        future: BranchFuture[R] = BranchFuture()
        here = scope.get()
        if type(here) is Branch:
            parent = own_branch(here, threading.get_ident)
            if parent.is_async:
                raise UsageError("perdure.threads() is for sync workflows; in an async one create tasks")
            branch = parent.fork(getattr(fn, "__qualname__", type(fn).__qualname__), is_async=False)
            future.run = self._run = parent.run
            context = contextvars.copy_context()
            context.run(scope.set, branch)
            with parent.run.state.changed:
                parent.run.state.branches += 1
            self._pool.submit(context.run, work_in_branch, branch, future, fn, args, kwargs)
        else:
            self._pool.submit(contextvars.copy_context().run, work, future, fn, args, kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See `Executor.shutdown`."""
        with Joining(self._run):
            self._pool.shutdown(wait, cancel_futures=cancel_futures)


def work(future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Give the future its outcome; also one that is not an `Exception`, as an interruption of the run is."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        value = fn(*args, **kwargs)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(value)


def work_in_branch(
    branch: Branch, future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """The same in a branch of a run, whose end the others may be waiting for."""
    branch.owner = threading.get_ident()
    state = branch.run.state
    try:
        work(future, fn, args, kwargs)
    finally:
        with state.changed:
            state.branches -= 1
            if state.reacting is not None and (state.reacting[0] + "/").startswith(branch.path):
                state.reacting = None
            state.changed.notify_all()


def threads(max_workers: int | None = None) -> Threads:
    """Threads for a sync workflow: `with perdure.threads() as pool: pool.submit(my_step, x)`.

    An `Executor` whose threads are branches of the run, numbered when they are submitted, so that their steps get the
    same keys whatever the timing. `max_workers` as of `ThreadPoolExecutor`.
    """
    return Threads(max_workers)
