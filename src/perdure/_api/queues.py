"""`queues`: the limits of queues, looked at and changed while all works, in the launched process or through a
client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from .._core.definitions import DEFINITIONS
from .._core.given import text_name
from .._core.lineage import Branch, scope
from ..errors import UsageError
from .app import current_runtime
from .overview import QueueSummary, queues_of
from .queue_limits import LimitChanges, checked_limits

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
        given: Any = getattr(queue, "name", queue)  # not as `Queue`: that module is imported after this one
        name = text_name(given, f"queues.{what}: queue")
        door = self._opened(what, writes=True)
        known = DEFINITIONS.queues()
        if not door.store.limits.set(name, changes, is_known=name in known):
            raise UsageError(
                f"queues.{what}: nobody works on a queue {name!r}, and none of its runs is ready; this program has "
                f"{', '.join(map(repr, known)) or 'no queue'}"
            )
        door.told.limits([name])

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
