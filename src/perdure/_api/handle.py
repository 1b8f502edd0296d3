"""Handles: the caller's end of a run.

A handle is a `concurrent.futures.Future`, made on first wait: until then it is an id, so that a million of them are
cheap. Inside a run, waiting for one is a durable operation.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

from .._core.flow import Outcome, adrive, drive
from .._core.flows.child import await_outcome, outcome_of, unwrap
from .._core.given import limit_of
from .._core.lineage import Branch, scope
from .._core.purity import check_may_act
from .._core.tracebacks import forget_frames
from .._engine.hosting.asyncio.tasks import own_branch
from .._engine.hosting.foreign import check_no_foreign_loop, needed_loop
from .._entries import EndedRun
from ..errors import RunCancelledError, RunStuckError, UsageError, WaitTimeoutError
from ..typing import RunId, Seconds
from .app import blocked_loop, running_loop, runtime_of
from .asking import ACANCEL, CANCEL, acancel_run, cancel_run
from .questions import Questions
from .refused import refuse_in_run
from .talking import Talking
from .waits import OwnWait

if TYPE_CHECKING:
    from .._engine.door import Door

R = TypeVar("R")


TOLD_STUCK = Outcome()
"""In the place of a run's outcome: whoever asked was told that it waits for a mend."""

CANCELLING = ": it is cancelled, and ends when what its code does just now returns"

_FUTURE_ATTRIBUTES = frozenset(vars(Future()))


class Handle(Talking, Questions, Future[R]):
    """A run, for whoever started it or knows its id.

    `result(timeout)`, `exception(timeout)`, `add_done_callback` and `concurrent.futures.wait` work as on any future
    (in a run `perdure.wait`, `as_completed` and `first` are what to use);
    `await handle` and `asyncio.gather(handle, ...)` on an event loop, and `handle.wait()` is a coroutine for task
    groups.
    To stop waiting, by a timeout or by cancelling the waiter, never touches the run: only `cancel()` does.
    A run that was cancelled has an error, `RunCancelledError`, for whoever waits, `asyncio.wrap_future` included:
    `CancelledError` would tell a waiter that it was cancelled itself. Where this process shuts down before the run
    has ended, whoever waits gets a `PerdureError` that says so; where the run cannot go on before somebody mends its
    code or data, `RunStuckError`. The run has not ended then: who asks again is told again, or waits for its outcome.
    A failure that nobody asks for is logged as an error when the last handle of the run is gone.
    """

    __slots__ = ("_runtime", "run_id")  # a handle that nobody waits with has no dictionary

    _outcome: Outcome | None = None
    _delivered: tuple[str, Outcome] | None = None
    """What a run was handed, and under which of its claims, or by which thread of it: to ask again is no new wait, live
    as on replay.
    """

    def __init__(self, runtime: Door, run_id: RunId) -> None:
        # Future.__init__ is called when somebody first looks at the future in it.
        self.run_id = run_id
        self._runtime = runtime
        runtime.uncollected.hold(run_id)

    def __del__(self) -> None:
        if (runtime := getattr(self, "_runtime", None)) is not None:
            runtime.uncollected.drop(self.run_id)

    @property
    def _condition(self) -> threading.Condition:
        """The future's lock, which whoever waits takes first: this is where the future is made, and where a forked
        child is told that it would wait for ever.
        """
        self._runtime.check_owner()
        if type(scope.get()) is Branch:
            refuse_in_run(self, self.run_id)
        if not self._is_made:
            with _making:
                if not self._is_made:
                    Future.__init__(self)
                    self._runtime.ends.watch(self.run_id, self._on_end, is_outside=True)
        return self._made_condition

    @_condition.setter
    def _condition(self, made: threading.Condition) -> None:
        self._made_condition = made

    @property
    def _is_made(self) -> bool:
        return "_done_callbacks" in vars(self)  # what Future.__init__ sets last

    def __getattr__(self, name: str) -> Any:
        if name not in _FUTURE_ATTRIBUTES or self._is_made:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        with self._condition:
            return getattr(self, name)

    def __repr__(self) -> str:
        return f"<Handle of run {self.run_id}>"

    def _on_end(self, ended: EndedRun) -> None:
        """Called by whoever commits, who must not run other people's callbacks: those get a thread. It may be a thread
        of a run, whose code does not do this: so in no run's context.
        """
        with self._made_condition:
            if not self._done_callbacks or not self._runtime.threads.run(lambda: self._finish(ended)):
                Context().run(self._finish, ended)

    def _finish(self, ended: EndedRun) -> None:
        if not self.set_running_or_notify_cancel():
            return
        outcome = self._read(ended)
        if outcome.error is not None:
            self.set_exception(outcome.error)
        else:
            self.set_result(outcome.value)

    def _read(self, ended: EndedRun) -> Outcome:
        """The outcome, read once: who asks again gets the same object, as of any future."""
        if ended.state == "failed":
            self._runtime.uncollected.collect(self.run_id)
        if ended.state == "parked":
            return outcome_of(self._runtime.serializer, ended)
        if self._outcome is None or self._outcome is TOLD_STUCK:
            try:
                self._outcome = outcome_of(self._runtime.serializer, ended)
            except Exception as error:
                self._outcome = Outcome(error=error)
        return self._outcome

    def _known(self) -> Outcome | None:
        """The outcome of a run that has ended lately: nobody has to wait, and no future is made."""
        ended = self._runtime.ends.known(self.run_id)
        if ended is not None:
            return self._read(ended)
        return None if self._outcome is TOLD_STUCK else self._outcome

    def result(self, timeout: Seconds | None = None) -> R:
        """The run's value; its error raised. `TimeoutError` after `timeout`, in seconds or as a `timedelta`, which does
        not touch the run.
        """
        timeout = limit_of(timeout, "timeout")
        here = scope.get()
        try:
            outcome = self._outcome_in_run(here, timeout) if type(here) is Branch else self._outcome_outside(timeout)
            return unwrap(outcome)  # type: ignore[no-any-return]  # the run's type is the caller's claim
        except BaseException as error:
            forget_frames(error)
            raise

    def exception(self, timeout: Seconds | None = None) -> BaseException | None:
        """The run's error, or None when it has a value."""
        timeout = limit_of(timeout, "timeout")
        here = scope.get()
        if type(here) is Branch:
            return self._outcome_in_run(here, timeout).error
        return self._outcome_outside(timeout).error

    def _outcome_outside(self, timeout: float | None) -> Outcome:
        self._runtime.check_owner()
        if (known := self._known()) is not None:
            return known
        if self._outcome is TOLD_STUCK:  # the future is done, the run is not: ask anew
            return Handle[R](self._runtime, self.run_id)._outcome_outside(timeout)
        with self._without_loop():
            error = self._error_within(timeout)
        if isinstance(error, RunStuckError) and error.run_id == self.run_id:
            self._outcome = TOLD_STUCK
        return Outcome(error=error) if error is not None else Outcome(super().result())

    def _error_within(self, timeout: float | None) -> BaseException | None:
        """Who waits in vain is told so, and whether the run is about to end by a cancel."""
        try:
            return super().exception(timeout)
        except TimeoutError:
            row = self._runtime.store.runs.row(self.run_id)
            why = CANCELLING if row is not None and row.state == "cancelling" else ""
            raise WaitTimeoutError(f"run {self.run_id} has not ended after {timeout} seconds{why}") from None

    def _outcome_in_run(self, here: Branch, timeout: float | None) -> Outcome:
        branch = self.branch_in(here)
        if (delivered := self.delivered_to(branch)) is not None:
            return delivered
        if branch.is_async:
            raise UsageError(
                f"`await` the handle of run {self.run_id}: .result() would block the workflow's event loop"
            )
        if timeout is None and not branch.limits:
            outcome = drive(await_outcome(branch.run, branch.next_key(), self.run_id), branch.run)
            return self.deliver(branch, outcome)
        wait = OwnWait(branch, "result", [self.run_id], timeout)
        try:
            return self.deliver(branch, wait.next()[1])
        except WaitTimeoutError as error:
            raise WaitTimeoutError(f"run {self.run_id}: {error}") from None
        finally:
            wait.close()

    def delivered_to(self, branch: Branch) -> Outcome | None:
        """What the branch was handed before by this handle; of an async run also any other branch."""
        delivered = self._delivered
        return delivered[1] if delivered is not None and delivered[0] == recipient(branch) else None

    def deliver(self, branch: Branch, outcome: Outcome) -> Outcome:
        """From now on the branch has it."""
        self._delivered = (recipient(branch), outcome)
        return outcome

    def branch_in(self, here: Branch) -> Branch:
        """The branch that waits; a run can wait, durably, only for what its own database will tell it of."""
        branch = own_branch(here)
        runtime = runtime_of(branch.run)
        if runtime.store.lock_directory != self._runtime.store.lock_directory:  # which is one database's alone
            raise UsageError(
                f"run {self.run_id} is in another database than run {branch.run.run_id}, which cannot wait for it "
                "durably: wait for it in a step"
            )
        return branch

    def _without_loop(self) -> AbstractContextManager[None]:
        """To wait on the thread of the event loop that executes async runs stops it: a sync run goes on all the same,
        and async ones that it starts meanwhile begin on another loop.
        """
        loop, runtime = running_loop(), self._runtime
        if loop is None or loop is not runtime.loop or self.done():
            return nullcontext()
        row = runtime.store.runs.row(self.run_id)
        definition = None if row is None else runtime.definitions.get(row.name)
        if definition is None or definition.is_async or runtime.execution.is_within(self.run_id, loop):
            raise UsageError(
                f"run {self.run_id} has not ended, and .result() on the event loop's own thread would stop the loop "
                "that may have to execute it: use `await handle`"
            )
        return blocked_loop(runtime)

    def cancel(self) -> bool:
        """End the run, wherever it is, and its children. False when it had ended already. In a run the answer is
        recorded, as a step's outcome is.

        Not called by `asyncio.wrap_future` or `run_in_executor` when their waiter is cancelled: a client that hangs
        up must not end the run.
        """
        if sys._getframe(1).f_globals.get("__name__") == "asyncio.futures":
            return False
        self._runtime.check_open()
        here = scope.get()
        if type(here) is Branch:
            return self._record(here, CANCEL)  # type: ignore[no-any-return]  # as CANCEL says
        check_may_act(here, "cancel()")
        return cancel_run(self._runtime, self.run_id)

    async def acancel(self) -> bool:
        """`cancel` from an event loop, which goes on meanwhile."""
        self._runtime.check_open()
        here = scope.get()
        if type(here) is Branch:
            return await self._record(here, ACANCEL)  # type: ignore[no-any-return]  # as ACANCEL says
        check_may_act(here, "acancel()")
        return await acancel_run(self._runtime, self.run_id)

    def cancelled(self) -> bool:
        """Whether the run has ended by being cancelled. Not said to asyncio, which would cancel the waiter for it."""
        is_asked_by_asyncio = sys._getframe(1).f_globals.get("__name__") == "asyncio.futures"
        return not is_asked_by_asyncio and self.done() and isinstance(super().exception(), RunCancelledError)

    def __await__(self) -> Generator[Any, None, R]:
        return self.wait().__await__()

    async def wait(self) -> R:
        """`await` the run's value, as a coroutine for `TaskGroup.create_task` and `asyncio.wait`."""
        try:
            return await self._wait()
        except BaseException as error:
            forget_frames(error)
            raise

    async def _wait(self) -> R:
        here = scope.get()
        if type(here) is Branch:
            branch = self.branch_in(here)
            outcome = self.delivered_to(branch)
            if outcome is None:
                outcome = await adrive(await_outcome(branch.run, branch.next_key(), self.run_id), branch.run)
                self.deliver(branch, outcome)
            return unwrap(outcome)  # type: ignore[no-any-return]  # as above
        check_no_foreign_loop()
        self._runtime.check_owner()
        if (known := self._known()) is not None:
            return unwrap(known)  # type: ignore[no-any-return]  # as above
        loop = needed_loop()
        future: asyncio.Future[EndedRun] = loop.create_future()
        runtime = self._runtime

        def on_end(ended: EndedRun) -> None:
            runtime.wakes.wake(loop, future, ended)

        runtime.ends.watch(self.run_id, on_end, is_outside=True)
        try:
            ended = await future
        finally:
            runtime.ends.forget(self.run_id, on_end)
        return unwrap(self._read(ended))  # type: ignore[no-any-return]  # as above


def recipient(branch: Branch) -> str:
    """Who is handed an outcome: threads may run beside each other, and then see nothing of each other's."""
    return branch.run.claim if branch.is_async else f"{branch.run.claim} {branch.path}"


_making = threading.Lock()


def _forget_parent() -> None:
    global _making
    _making = threading.Lock()  # another thread of the parent may have been in the old one


os.register_at_fork(after_in_child=_forget_parent)
