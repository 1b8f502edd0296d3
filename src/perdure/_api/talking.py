"""What a handle can ask its run's code: to tell how things stand, and to do something."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .._core.definitions import Definition
from .._core.given import check_type, fitting, limit_of
from .._core.lineage import Branch, scope
from .._core.several import earliest
from .._core.step_call import StepCall
from .._engine.hosting.asyncio.tasks import own_branch
from ..errors import UsageError
from ..typing import RunId, Seconds
from .app import running_loop
from .driving import call_recorded
from .queries import AQUERY, QUERY, QueryAsked, aask_query, ask_query, query_asked
from .updates import AUPDATE, UPDATE, UpdateAsked, aask_update, ask_update, update_asked

if TYPE_CHECKING:
    from .._engine.door import Door

T = TypeVar("T")


class Talking:
    """The part of a `Handle` that the run's own code answers."""

    __slots__ = ()

    if TYPE_CHECKING:
        run_id: RunId
        _runtime: Door

    @overload
    def query(self, name: str, /, *args: object, timeout: Seconds | None = 10.0, type: type[T]) -> T: ...
    @overload
    def query(self, name: str, /, *args: object, timeout: Seconds | None = 10.0) -> Any: ...
    def query(self, name: str, /, *args: object, timeout: Seconds | None = 10.0, type: Any = None) -> Any:
        """What the run's `on_query(name, fn)` answers to these arguments: `fn(*args)`, with which the run stands as far
        as it has come. Nothing of it is recorded in the run, and the run is not woken.

        A run that some worker holds is asked there. Any other, one that is parked or has ended too, is replayed from
        its record without running a step: here if this process has its code, else by a worker that has.
        `QueryNotFoundError` where its code has registered no such query, `RunNotFoundError` where there is no such run,
        `WaitTimeoutError` after `timeout`, in seconds or as a `timedelta`; what the function raises is raised here.
        `type`: what the answer must be, a class or a union of classes; another one raises `SerializationError`. In a
        workflow the answer is recorded, as a step's outcome is.
        """
        asked = query_asked(self.run_id, name, args, limit_of(timeout, "query: timeout"))
        if type is not None:
            check_type(type)
        return fitting(self._call(QUERY, ask_query, asked), f"the answer to query {name!r}", type)

    @overload
    def aquery(
        self, name: str, /, *args: object, timeout: Seconds | None = 10.0, type: type[T]
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def aquery(self, name: str, /, *args: object, timeout: Seconds | None = 10.0) -> Coroutine[Any, Any, Any]: ...
    def aquery(
        self, name: str, /, *args: object, timeout: Seconds | None = 10.0, type: Any = None
    ) -> Coroutine[Any, Any, Any]:
        """`query` from an event loop, which goes on meanwhile."""
        asked = query_asked(self.run_id, name, args, limit_of(timeout, "aquery: timeout"))
        if type is not None:
            check_type(type)
        return later(self._call(AQUERY, aask_query, asked), f"the answer to query {name!r}", type)

    @overload
    def update(
        self, name: str, /, *args: object, key: str | None = None, timeout: Seconds | None = None, type: type[T]
    ) -> T: ...
    @overload
    def update(self, name: str, /, *args: object, key: str | None = None, timeout: Seconds | None = None) -> Any: ...
    def update(
        self, name: str, /, *args: object, key: str | None = None, timeout: Seconds | None = None, type: Any = None
    ) -> Any:
        """Ask the run to do what its `on_update(name, fn)` does with these arguments; what that returns, or raises.

        The run may wait, be parked, be held by another process, or not have begun: it does it once. `key`: a text that
        tells this update from all others of the run: who asks again under it, from anywhere and also when the run has
        ended, is told what became of the first one, and nothing is done again. `UpdateRefusedError` where the run
        refuses it, and nothing has changed; `RunEndedError` where it ended before it had done it; `RunNotFoundError`
        where there is no such run. After `timeout`, in seconds or as a `timedelta`, `WaitTimeoutError`: it may still
        happen, so ask again under the same key. `type` as in `query`. In a workflow it is asked for once, and what came
        of it recorded, as a step's outcome is.
        """
        asked = self._update_asked(name, args, key, timeout)
        if type is not None:
            check_type(type)
        return fitting(self._call(UPDATE, ask_update, asked), f"the answer to update {name!r}", type)

    @overload
    def aupdate(
        self, name: str, /, *args: object, key: str | None = None, timeout: Seconds | None = None, type: type[T]
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def aupdate(
        self, name: str, /, *args: object, key: str | None = None, timeout: Seconds | None = None
    ) -> Coroutine[Any, Any, Any]: ...
    def aupdate(
        self, name: str, /, *args: object, key: str | None = None, timeout: Seconds | None = None, type: Any = None
    ) -> Coroutine[Any, Any, Any]:
        """`update` from an event loop, which goes on meanwhile."""
        asked = self._update_asked(name, args, key, timeout)
        if type is not None:
            check_type(type)
        return later(self._call(AUPDATE, aask_update, asked), f"the answer to update {name!r}", type)

    def _update_asked(self, name: str, args: Sequence[object], key: str | None, timeout: Seconds | None) -> UpdateAsked:
        return update_asked(self.run_id, name, args, key, limit_of(timeout, "update: timeout"))

    def _call(self, definition: Definition, outside: Any, asked: QueryAsked | UpdateAsked) -> Any:
        """From outside any run as it is; in a workflow recorded."""
        self._runtime.check_open()
        here = scope.get()
        if type(here) is not Branch:
            if not definition.is_async and (loop := running_loop()) is not None and loop is self._runtime.loop:
                raise UsageError(
                    f"run {self.run_id} would be asked on the thread of the event loop that may have to answer: "
                    "`await handle.aquery(...)` or `handle.aupdate(...)`"
                )
            return outside(self._runtime, asked)
        branch = own_branch(here)
        if branch.is_async and not definition.is_async:
            raise UsageError("in an async workflow `await handle.aquery(...)` or `handle.aupdate(...)`")
        if asked.run_id == branch.run.run_id:
            raise UsageError(f"run {self.run_id} would wait for an answer of itself")
        run, key = branch.run, branch.next_key()
        what = [asked.run_id, asked.name, list(asked.args)]
        fingerprint, preview, *_ = run.serializer.accept_call((what,), {}, what=f"what {definition.name} asks")
        asked = asked.by_call(f"{run.run_id}:{key}:{run.incarnation}")
        limit = earliest(branch.limits)
        left = None if limit is None else max(0.0, limit.due_at - time.time())
        if left is None or (asked.seconds is not None and asked.seconds <= left):
            limit = None
        else:
            asked = asked._replace(seconds=left)
        call = StepCall(run, definition, key, (self._runtime, asked), {}, fingerprint, preview, waits_until=limit)
        return call_recorded(branch, call)


async def later(asking: Awaitable[Any], what: str, expected: Any) -> Any:
    """The answer, once it is there."""
    return fitting(await asking, what, expected)
