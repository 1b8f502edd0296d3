"""`queues`: the limits of queues, looked at and changed while all works, in the launched process or through a
client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

from .._core.definitions import DEFINITIONS
from .._core.given import text_name
from .._core.lineage import Branch, scope
from ..errors import UsageError
from .app import current_runtime
from .overview import QueueSummary, queues_of
from .queue_limits import LimitChanges, checked_limits
from .shown_runs import moment
from .starting import definition_of

if TYPE_CHECKING:
    from .._engine.door import Door
    from .queue import Queue


class Queues:
    """The limits of queues; `perdure.queues` is the one of the launched process, `client.queues` that of a client.

    In a workflow these are refused: what they do and say would be another thing at a replay. Do it in a step.
    """

    def __init__(self, door: Callable[[], Door]) -> None:
        self._door = door

    def list(self) -> Sequence[QueueSummary]:
        """The queues that have something to do, and those for which anything was declared or set, by name."""
        return queues_of(self._opened("list").store)

    async def alist(self) -> Sequence[QueueSummary]:
        """`list` from an event loop, which goes on meanwhile."""
        self._check("list")
        return await asyncio.to_thread(self.list)

    def set(self, queue: Queue | str, /, **changes: Unpack[LimitChanges]) -> None:
        """Change limits of a queue, for all processes, now: those that are given, None for none; `on_overflow=None` is
        "wait". They hold from the next claim on; what executes goes on, and counts. Where the queue had no limit, other
        processes know within a second that it has one. Of each limit the last change holds: it stays until the next
        `set`, or until a program declares another value than before.

        Raises `UsageError` for a limit that cannot be, for nothing given, and for a queue that neither this program nor
        any that works has. With `worker_concurrency` every process executes so many runs of the queue at once.
        """
        given = checked_limits("queues.set()", changes)
        if not given:
            raise UsageError("queues.set() changes nothing: give limits, such as concurrency=5")
        self._change(queue, given, "set")

    def pause(self, queue: Queue | str, /) -> None:
        """Nothing new of the queue begins, in any process, until `resume`; what has begun goes on. Idempotent; errors
        as of `set`.
        """
        self._change(queue, {"paused": True}, "pause")

    def resume(self, queue: Queue | str, /) -> None:
        """The queue goes on where it was. Idempotent; errors as of `set`."""
        self._change(queue, {"paused": False}, "resume")

    def pause_function(self, fn: Callable[..., Any] | str, /) -> None:
        """No run of this workflow or step, or of this name, begins in any process, in whatever queue it is, until
        `resume_function`. What has begun goes on, and what is called directly begins. Idempotent. Raises `UsageError`
        for a name that neither this program nor any that works knows.
        """
        self._change_function(fn, is_paused=True)

    def resume_function(self, fn: Callable[..., Any] | str, /) -> None:
        """They begin again. Idempotent; errors as of `pause_function`."""
        self._change_function(fn, is_paused=False)

    def paused_functions(self) -> Mapping[str, datetime]:
        """The names of those that are paused, each with since when."""
        paused = self._opened("paused_functions").store.limits.paused()
        return {name: moment(since) for name, since in paused}

    async def aset(self, queue: Queue | str, /, **changes: Unpack[LimitChanges]) -> None:
        """`set` from an event loop, which goes on meanwhile."""
        self._check("set")
        await asyncio.to_thread(self.set, queue, **changes)

    async def apause(self, queue: Queue | str, /) -> None:
        """`pause` from an event loop, which goes on meanwhile."""
        self._check("pause")
        await asyncio.to_thread(self.pause, queue)

    async def aresume(self, queue: Queue | str, /) -> None:
        """`resume` from an event loop, which goes on meanwhile."""
        self._check("resume")
        await asyncio.to_thread(self.resume, queue)

    def _change(self, queue: Queue | str, changes: dict[str, object], what: str) -> None:
        given = queue if isinstance(queue, str) else queue.name
        name = text_name(given, f"queues.{what}: queue")
        door = self._opened(what, writes=True)
        known = DEFINITIONS.queues()
        if not door.store.limits.set(name, changes, is_known=name in known):
            raise UsageError(
                f"queues.{what}: nobody works on a queue {name!r}, and it has no runs; this program has "
                f"{', '.join(map(repr, known)) or 'no queue'}"
            )
        door.claims.tell_limits([name])

    def _change_function(self, fn: Callable[..., Any] | str, *, is_paused: bool) -> None:
        what = "pause_function" if is_paused else "resume_function"
        name = text_name(fn, f"queues.{what}: fn") if isinstance(fn, str) else definition_of(fn).name
        door = self._opened(what, writes=True)
        served = (worker.serves.names for worker in door.store.workers())
        if DEFINITIONS.get(name) is None and not any(name in names for names in served):
            raise UsageError(f"queues.{what}: neither this program nor any that works knows a function {name!r}")
        door.store.limits.pause(name, is_paused=is_paused)
        door.claims.tell_limits(list(DEFINITIONS.queues()))

    def _opened(self, what: str, *, writes: bool = False) -> Door:
        self._check(what)
        door = self._door()
        door.open(writes=writes)
        return door

    @staticmethod
    def _check(what: str) -> None:
        if type(scope.get()) is Branch:
            raise UsageError(f"queues.{what}() in a workflow would be done again at a replay: do it in a step")


queues = Queues(current_runtime)
"""Those of the instance that a durable call made here belongs to."""
