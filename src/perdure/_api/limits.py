"""`timeout`: a time limit for what a block waits for, kept across restarts."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from .._core.flow import drive
from .._core.flows.several import begin_limit
from .._core.given import seconds_of
from .._core.lineage import Branch, scope
from .._core.several import Limit
from .._engine.hosting.asyncio.tasks import own_branch
from .._engine.hosting.foreign import needed_loop
from ..errors import UsageError
from ..typing import Seconds
from .recorded_values import sleep
from .waits import late


class Timeout:
    """One block with a time limit; see `timeout`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._is_used = False
        self._has_expired = False
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._timer: asyncio.Task[None] | None = None
        self._branch: Branch | None = None
        self._limit: Limit | None = None

    def expired(self) -> bool:
        """Whether the limit was reached while the block waited."""
        return self._has_expired if self._limit is None else self._limit.is_over

    def _use(self) -> None:
        if self._is_used:
            raise UsageError("timeout: each block takes a new one")
        self._is_used = True

    def __enter__(self) -> Self:
        here = scope.get()
        branch = own_branch(here) if type(here) is Branch else None
        if branch is None or branch.is_async:
            raise UsageError(
                "timeout: `with` is for the code of a sync workflow. In a coroutine use `async with`; in other sync "
                "code give what you wait with a timeout: handle.result(timeout=...)"
            )
        self._use()
        inside = branch.fork("timeout", is_async=False)
        self._limit = drive(begin_limit(branch.run, inside.next_key(), self.seconds), branch.run)
        self._branch, branch.limits = branch, (*branch.limits, self._limit)
        return self

    def __exit__(self, *_: object) -> None:
        if self._branch is not None:
            self._branch.limits = tuple(limit for limit in self._branch.limits if limit is not self._limit)

    async def __aenter__(self) -> Self:
        needed_loop()
        here = scope.get()
        if type(here) is Branch:
            own_branch(here)
        self._use()
        self._task = task = asyncio.current_task()
        assert task is not None
        self._cancelling = task.cancelling()
        self._timer = asyncio.create_task(self._expire(task), name="perdure timeout")
        return self

    async def _expire(self, task: asyncio.Task[object]) -> None:
        await sleep(self.seconds)
        self._has_expired = True
        task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._task is not None
        assert self._timer is not None
        if not self._has_expired:
            self._timer.cancel()
        elif self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError):
            raise late(self.seconds) from error


def timeout(seconds: Seconds) -> Timeout:
    """A time limit for what the block waits for, in seconds or as a `timedelta`: `async with perdure.timeout(60):`.

    `WaitTimeoutError` when it is reached. In a workflow its end is recorded, so that neither a restart nor a replay
    begins it anew. In a sync workflow, `with perdure.timeout(60):` limits the waits of the block's own thread, those
    between the attempts of a step among them; the body of a step is not interrupted, the next wait raises.
    """
    return Timeout(seconds_of(seconds, "timeout: seconds"))
