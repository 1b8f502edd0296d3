"""Threads inside a sync workflow: a pool that carries the run's lineage into its threads.

Not built on `ThreadPoolExecutor`: the interpreter joins the threads of that one when it exits, and a durable run must
not hold the program up. The engine's threads are daemons; here is the limit, and what waits for a worker.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from .._core.given import whole_number
from .._core.lineage import Branch, scope
from .._core.run import Run
from .._engine.hosting.asyncio.tasks import own_branch
from .._engine.hosting.threads.pool import Threads as DaemonThreads
from .._engine.hosting.threads.state import thread_state
from ..errors import UsageError
from .app import runtime_of

P = ParamSpec("P")
R = TypeVar("R")


class BranchFuture(Future[R]):
    """A future whose wait counts as waiting for another branch of the same run."""

    run: Run | None = None
    name = ""
    """What its branch executes."""
    joining: list[Joining]
    """Who waits for it, and is ready to go on when it is done."""

    def __init__(self) -> None:
        super().__init__()
        self.joining = []

    def result(self, timeout: float | None = None) -> R:
        """See `Future.result`."""
        with Joining(self.run, self, is_timed=timeout is not None):
            return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """See `Future.exception`."""
        with Joining(self.run, self, is_timed=timeout is not None):
            return super().exception(timeout)


class Joining:
    """The calling thread waits for other threads of the run, which go on meanwhile. It does not keep the run from being
    parked, unless it will give up by itself: a parked run would forget when.
    """

    def __init__(self, run: Run | None, joined: BranchFuture[Any] | Threads, *, is_timed: bool = False) -> None:
        here = scope.get()
        self._run = run if run is not None and type(here) is Branch and here.run is run else None
        self._joined = joined
        self._is_timed = is_timed
        self._waits = False

    def __enter__(self) -> None:
        if self._run is None:
            return
        state = thread_state(self._run)
        with state.changed:
            if is_over(self._joined):
                return
            self._waits = True
            self._joined.joining.append(self)
            state.joining += 1
            state.timed += self._is_timed
            state.baton.put_down()
            state.changed.notify_all()

    def __exit__(self, *_: object) -> None:
        if self._run is None or not self._waits:
            return
        state = thread_state(self._run)
        with state.changed:
            if self in self._joined.joining:  # it has given up, or was quicker
                self._joined.joining.remove(self)
                state.joining -= 1
            state.timed -= self._is_timed
        go_on(self._run, self)


def is_over(joined: BranchFuture[Any] | Threads) -> bool:
    """Whether there is nothing to wait for."""
    return joined.done() if isinstance(joined, BranchFuture) else not joined.is_at_work


def hold_first(run: Run) -> None:
    """The thread that makes a run's first branch is the one that runs its code."""
    state = thread_state(run)
    with state.changed:
        if run.interruption is None and not state.baton.is_loose:
            state.baton.take()


def go_on(run: Run, branch: object) -> None:
    """Run the run's code when it is this branch's turn."""
    state = thread_state(run)
    with state.changed:
        while run.interruption is None and not state.baton.may_take(branch):
            if state.baton.is_next(branch):
                state.baton.watch(state.changed)
            else:
                state.changed.wait()
        if run.interruption is None and not state.baton.is_loose:
            state.baton.take(branch)
        state.changed.notify_all()


def release_joining(run: Run | None, joining: list[Joining]) -> None:
    """What these wait for is there: they are ready, in the order in which they began to wait. From here on they count
    as at work, or until they wake it would seem that nothing of the run can go on.
    """
    if run is None or not joining:
        return
    state = thread_state(run)
    with state.changed:
        for one in joining:
            state.baton.queue(one)
        state.joining -= len(joining)
        joining.clear()


class Job:
    """A call that was submitted; `branch` is its branch of the run, None outside any run."""

    __slots__ = ("branch", "context", "future", "work")

    def __init__(self, work: Callable[[], Any], branch: Branch | None, name: str) -> None:
        self.work = work
        self.branch = branch
        self.future: BranchFuture[Any] = BranchFuture()
        self.context = contextvars.copy_context()
        if branch is not None:
            self.future.run, self.future.name = branch.run, name
            state = thread_state(branch.run)
            with state.changed:
                state.futures.add(self.future)
            self.context.run(scope.set, branch)

    def begin(self) -> None:
        """A worker is the job's from now on: the run must not be parked before it waits durably itself. It runs when
        it is its turn.
        """
        if self.branch is not None:
            state = thread_state(self.branch.run)
            with state.changed:
                state.branches += 1
                state.baton.queue(self)

    def execute(self) -> None:
        """Give the future its outcome; also one that is not an `Exception`, as an interruption of the run is."""
        if self.branch is not None:
            go_on(self.branch.run, self)
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            if self.branch is not None:
                self.branch.owner = threading.get_ident()
                self.branch.run.check_alive()
            value = self.context.run(self.work)
        except BaseException as error:
            self._tell(self.future.set_exception, error)
        else:
            self._tell(self.future.set_result, value)
        release_joining(self.future.run, self.future.joining)

    def _tell(self, tell: Callable[[Any], None], outcome: Any) -> None:
        """Give the outcome; the future's callbacks run in this thread, and are no part of the branch."""
        if self.branch is not None:
            self.branch.owner = None
        self.context.run(tell, outcome)

    def end(self) -> None:
        """The branch is over; others of the run may be waiting for that."""
        if self.branch is not None:
            state = thread_state(self.branch.run)
            with state.changed:
                state.branches -= 1
                state.baton.drop(self)
                state.baton.put_down()
                state.changed.notify_all()

    def cancel(self) -> None:
        """It will not begin."""
        self.future.cancel()
        self.future.set_running_or_notify_cancel()


class Threads(Executor):
    """A thread pool for one workflow; outside a workflow an ordinary pool. Use it as a context manager."""

    def __init__(self, max_workers: int | None = None) -> None:
        given = None if max_workers is None else whole_number(max_workers, "threads: max_workers")
        self._most = given or min(32, (os.cpu_count() or 1) + 4)
        self._own_threads = DaemonThreads("perdure-branch")
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        """What waits for a worker."""
        self._workers = 0
        self.joining: list[Joining] = []
        """Who waits for all workers to end."""
        self._is_shut_down = False
        self._run: Run | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether any of its workers is."""
        return self._workers > 0

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> BranchFuture[R]:
        """Run `fn` in a thread, as a branch of the workflow: its durable calls are recorded under that branch.

        `RuntimeError` after the pool was shut down, or while the interpreter exits.
        """
        here = scope.get()
        parent = own_branch(here) if type(here) is Branch else None
        if parent is not None and parent.is_async:
            raise UsageError("perdure.threads() is for sync workflows; in an async one create tasks")
        with self._changed:
            if self._is_shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            branch, name = None, getattr(fn, "__qualname__", type(fn).__qualname__)
            if parent is not None:
                branch = parent.fork(name, is_async=False)
                self._run = parent.run
                hold_first(parent.run)
            job = Job(lambda: fn(*args, **kwargs), branch, name)
            if self._workers == self._most:
                self._jobs.append(job)
                return job.future
            self._workers += 1
        self._start_worker(job)
        return job.future

    def _start_worker(self, job: Job) -> None:
        job.begin()
        if job.branch is None:
            is_started = self._own_threads.run(lambda: self._work(job))
        else:
            baton = thread_state(job.branch.run).baton
            baton.is_starting = True
            try:
                is_started = threads_of(job.branch.run).run(lambda: self._work(job))
            finally:
                baton.is_starting = False
        if not is_started:
            job.end()
            with self._changed:
                self._workers -= 1
                self._changed.notify_all()
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    def _work(self, first: Job) -> None:
        """A worker: one job after the other, until none waits."""
        job: Job | None = first
        while job is not None:
            job.execute()
            with self._changed:
                following = self._jobs.popleft() if self._jobs else None
                self._workers -= following is None
                self._changed.notify_all()
            if following is not None:
                following.begin()  # before the end of the last one: in between nobody would be at work
            if not self.is_at_work:
                release_joining(self._run, self.joining)
            job.end()
            job = following

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See `Executor.shutdown`."""
        with self._changed:
            self._is_shut_down = True
            given_up = list(self._jobs) if cancel_futures else []
            if cancel_futures:
                self._jobs.clear()
        for job in given_up:
            job.cancel()
        with Joining(self._run if wait else None, self), self._changed:
            while wait and self._workers:
                self._changed.wait()


def threads_of(run: Run) -> DaemonThreads:
    """The threads of the instance that holds the run: they count towards its budget."""
    return runtime_of(run).threads


def threads(max_workers: int | None = None) -> Threads:
    """Threads for a sync workflow: `with perdure.threads() as pool: pool.submit(my_step, x)`.

    An `Executor` whose threads are branches of the run, numbered when they are submitted, so that their steps get the
    same keys whatever the timing. `max_workers` as of `ThreadPoolExecutor`. The end of the program does not wait for
    them: a run that is not finished then goes on at the next start.
    """
    return Threads(max_workers)
