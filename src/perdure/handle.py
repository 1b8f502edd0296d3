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
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, TypeVar

from ._core.definitions import Definition
from ._core.flow import CallCancelled, Outcome, adrive, drive
from ._core.flows.child import await_outcome, await_run, outcome_of, unwrap
from ._core.flows.value import NO_ARGUMENTS
from ._core.lineage import Branch, scope
from ._core.step_call import StepCall
from ._engine.tasks import own_branch
from ._entries import EndedRun
from .app import running_loop
from .errors import RunCancelledError, UsageError
from .recorded import call_recorded
from .typing import RunId

if TYPE_CHECKING:
    from ._engine.runtime import Runtime

R = TypeVar("R")


def cancel_run(runtime: Runtime, run_id: RunId) -> bool:
    """Ask for the run's end."""
    return runtime.claims.cancel(run_id)


async def acancel_run(runtime: Runtime, run_id: RunId) -> bool:
    """The same without stopping the loop."""
    return await asyncio.to_thread(runtime.claims.cancel, run_id)


CANCEL = Definition(cancel_run, "step", name="perdure:cancel")
ACANCEL = Definition(acancel_run, "step", name="perdure:cancel")

CANCELLING = ": it is cancelled, and ends when what its code does just now returns"

_FUTURE_ATTRIBUTES = frozenset(vars(Future()))


class Handle(Future[R]):
    """A run, for whoever started it or knows its id.

    `result(timeout)`, `exception(timeout)`, `add_done_callback` and `concurrent.futures.wait` work as on any future;
    `await handle` and `asyncio.gather(handle, ...)` on an event loop, and `handle.wait()` is a coroutine for task
    groups.
    To stop waiting, by a timeout or by cancelling the waiter, never touches the run: only `cancel()` does.
    A run that was cancelled has an error, `RunCancelledError`, for whoever waits, `asyncio.wrap_future` included:
    `CancelledError` would tell a waiter that it was cancelled itself. Where this process shuts down before the run
    has ended, whoever waits gets a `PerdureError` that says so.
    """

    def __init__(self, runtime: Runtime, run_id: RunId) -> None:
        # Future.__init__ is called when somebody first looks at the future in it.
        self.run_id = run_id
        self._runtime = runtime
        self._outcome: Outcome | None = None

    @property
    def _condition(self) -> threading.Condition:
        """The future's lock, which whoever waits takes first: this is where the future is made, and where a forked
        child is told that it would wait for ever.
        """
        self._runtime.check_owner()
        if not self._is_made:
            with _making:
                if not self._is_made:
                    Future.__init__(self)
                    self._runtime.ends.watch(self.run_id, self._on_end)
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
        """Called by whoever commits, who must not run other people's callbacks: those get a thread."""
        with self._condition:
            if not self._done_callbacks or not self._runtime.threads.run(lambda: self._finish(ended)):
                self._finish(ended)

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
        if self._outcome is None:
            try:
                self._outcome = outcome_of(self._runtime.serializer, ended)
            except Exception as error:
                self._outcome = Outcome(error=error)
        return self._outcome

    def _known(self) -> Outcome | None:
        """The outcome of a run that has ended lately: nobody has to wait, and no future is made."""
        ended = self._runtime.ends.known(self.run_id)
        return self._outcome if ended is None else self._read(ended)

    def result(self, timeout: float | None = None) -> R:
        """The run's value; its error raised. `TimeoutError` after `timeout` seconds, which does not touch the run."""
        here = scope.get()
        if type(here) is Branch:
            return unwrap(self._outcome_in_run(here, timeout))  # type: ignore[no-any-return]  # the run's type is the caller's claim
        self._runtime.check_owner()
        if (known := self._known()) is not None:
            return unwrap(known)  # type: ignore[no-any-return]  # as above
        self._check_thread()
        self._wait_for_end(timeout)
        return super().result()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The run's error, or None when it has a value."""
        here = scope.get()
        if type(here) is Branch:
            return self._outcome_in_run(here, timeout).error
        self._check_thread()
        self._wait_for_end(timeout)
        return super().exception()

    def _wait_for_end(self, timeout: float | None) -> None:
        """Who waits in vain is told so, and whether the run is about to end by a cancel."""
        try:
            super().exception(timeout)
        except FutureTimeoutError:
            row = self._runtime.store.run(self.run_id)
            why = CANCELLING if row is not None and row.state == "cancelling" else ""
            raise FutureTimeoutError(f"run {self.run_id} has not ended after {timeout} seconds{why}") from None

    def _outcome_in_run(self, here: Branch, timeout: float | None) -> Outcome:
        branch = self._branch_in(here)
        if branch.is_async:
            raise UsageError(
                f"`await` the handle of run {self.run_id}: .result() would block the workflow's event loop"
            )
        try:
            return drive(await_outcome(branch.run, branch.next_key(), self.run_id, timeout), branch.run)
        except CallCancelled:
            raise FutureTimeoutError(f"run {self.run_id} has not ended after {timeout} seconds") from None

    def _branch_in(self, here: Branch) -> Branch:
        """The branch that waits; a run can wait, durably, only for what its own database will tell it of."""
        branch = own_branch(here)
        runtime: Runtime = branch.run.host.runtime  # type: ignore[attr-defined]  # the engine's hosts have one
        if runtime.store.lock_directory != self._runtime.store.lock_directory:  # which is one database's alone
            raise UsageError(
                f"run {self.run_id} is in another database than run {branch.run.run_id}, which cannot wait for it "
                "durably: wait for it in a step"
            )
        return branch

    def _check_thread(self) -> None:
        self._runtime.check_owner()
        loop = running_loop()
        if loop is not None and loop is self._runtime.loop and not self.done():
            raise UsageError(
                f"run {self.run_id} has not ended, and .result() on the event loop's own thread would stop the loop "
                "that may have to execute it: use `await handle`"
            )

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
            return self._cancel_in(here, CANCEL)  # type: ignore[no-any-return]  # as CANCEL says
        return cancel_run(self._runtime, self.run_id)

    async def acancel(self) -> bool:
        """`cancel` from an event loop, which goes on meanwhile."""
        self._runtime.check_open()
        here = scope.get()
        if type(here) is Branch:
            return await self._cancel_in(here, ACANCEL)  # type: ignore[no-any-return]  # as ACANCEL says
        return await acancel_run(self._runtime, self.run_id)

    def _cancel_in(self, here: Branch, definition: Definition) -> Any:
        branch = own_branch(here)
        arguments = (self._runtime, self.run_id)
        return call_recorded(branch, StepCall(branch.run, definition, branch.next_key(), arguments, {}, NO_ARGUMENTS))

    def cancelled(self) -> bool:
        """Whether the run has ended by being cancelled. Not said to asyncio, which would cancel the waiter for it."""
        is_asked_by_asyncio = sys._getframe(1).f_globals.get("__name__") == "asyncio.futures"
        return not is_asked_by_asyncio and self.done() and isinstance(super().exception(), RunCancelledError)

    def __await__(self) -> Generator[Any, None, R]:
        return self.wait().__await__()

    async def wait(self) -> R:
        """`await` the run's value, as a coroutine for `TaskGroup.create_task` and `asyncio.wait`."""
        here = scope.get()
        if type(here) is Branch:
            branch = self._branch_in(here)
            return await adrive(await_run(branch.run, branch.next_key(), self.run_id), branch.run)
        self._runtime.check_owner()
        if (known := self._known()) is not None:
            return unwrap(known)  # type: ignore[no-any-return]  # as above
        loop = asyncio.get_running_loop()
        future: asyncio.Future[EndedRun] = loop.create_future()
        runtime = self._runtime

        def on_end(ended: EndedRun) -> None:
            runtime.wakes.wake(loop, future, ended)

        runtime.ends.watch(self.run_id, on_end)
        try:
            ended = await future
        finally:
            runtime.ends.forget(self.run_id, on_end)
        return unwrap(self._read(ended))  # type: ignore[no-any-return]  # as above


_making = threading.Lock()


def _forget_parent() -> None:
    global _making
    _making = threading.Lock()  # another thread of the parent may have been in the old one


os.register_at_fork(after_in_child=_forget_parent)
