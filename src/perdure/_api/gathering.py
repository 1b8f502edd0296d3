"""`gather`: the values of several calls, under a policy of how many must succeed and how many may fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import aclosing, closing
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from .._core.flow import Outcome
from .._core.lineage import Branch
from .._core.policy import STRICT, Policy, Tally, policy_of
from ..errors import RunCancelledError, RunInterrupted, UsageError
from .app import running_loop
from .giving_up import acancel_all, cancel_all, check_ended
from .handle import Handle
from .mapping import branch_here
from .options import PLAIN
from .several import Completed
from .starting import astart, definition_of, start

if TYPE_CHECKING:
    from .seen import Each, Values

Waiting = Handle[Any] | asyncio.Future[Any]

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
G = TypeVar("G")
R = TypeVar("R")


@overload
def gather(a: Awaitable[A], b: Awaitable[B], /) -> Each[A, B]: ...
@overload
def gather(a: Awaitable[A], b: Awaitable[B], c: Awaitable[C], /) -> Each[A, B, C]: ...
@overload
def gather(a: Awaitable[A], b: Awaitable[B], c: Awaitable[C], d: Awaitable[D], /) -> Each[A, B, C, D]: ...
@overload
def gather(
    a: Awaitable[A], b: Awaitable[B], c: Awaitable[C], d: Awaitable[D], e: Awaitable[E], /
) -> Each[A, B, C, D, E]: ...
@overload
def gather(
    a: Awaitable[A], b: Awaitable[B], c: Awaitable[C], d: Awaitable[D], e: Awaitable[E], f: Awaitable[F], /
) -> Each[A, B, C, D, E, F]: ...
@overload
def gather(
    a: Awaitable[A],
    b: Awaitable[B],
    c: Awaitable[C],
    d: Awaitable[D],
    e: Awaitable[E],
    f: Awaitable[F],
    g: Awaitable[G],
    /,
) -> Each[A, B, C, D, E, F, G]: ...
@overload
def gather(*calls: Awaitable[R]) -> Values[R]: ...
@overload
def gather(*calls: Awaitable[R], policy: Policy) -> Values[R | BaseException]: ...
@overload
def gather(*calls: partial[Coroutine[Any, Any, R]] | partial[CoroutineType[Any, Any, R]]) -> Values[R]: ...
@overload
def gather(*calls: partial[R]) -> Values[R]: ...
@overload
def gather(*calls: Any, policy: Policy = ...) -> Any: ...
def gather(*calls: Any, policy: Policy = STRICT) -> Any:
    """The values of all, in the order in which they were given. `await` it on an event loop.

    A call is a handle, or a `functools.partial` of a workflow or step, which is started as a run of its own; on an
    event loop also a coroutine, task or future. `policy` says how many must succeed and how many may fail: an error
    that it tolerates stands in the list in the place of the value, and so does a `RunCancelledError`, of a task a
    `CancelledError`, for what was given up because enough others had succeeded. One failure too many is raised as soon
    as it is known. In both cases the rest is cancelled: runs, also those whose handles were given, and tasks.
    Raises `UsageError` or `NotDurableError` for what is no call, before anything is started.
    """
    branch = branch_here()
    is_async = running_loop() is not None if branch is None else branch.is_async
    try:
        policy_of(policy, "gather", len(calls))
        for call in calls:
            check_call(call, is_async=is_async)
    except BaseException:
        for call in calls:
            if isinstance(call, Coroutine):
                call.close()
        raise
    return _agather(calls, policy, branch) if is_async else _gather(calls, policy, branch)


def check_call(call: Any, *, is_async: bool) -> None:
    """Raise the error that says what can be given instead."""
    if isinstance(call, partial):
        definition_of(call.func)
    elif not isinstance(call, Handle) and not (is_async and isinstance(call, Coroutine | asyncio.Future)):
        more = ", a coroutine, task or future" if is_async else ""
        raise UsageError(
            f"gather: give handles of runs, or a functools.partial of a workflow or step{more}; not a "
            f"{type(call).__name__}"
        )


def _gather(calls: Sequence[Any], policy: Policy, branch: Branch | None) -> list[Any]:
    handles = [
        start(call.func, (call.args, call.keywords), PLAIN) if isinstance(call, partial) else call for call in calls
    ]
    found = Found(handles, policy)
    with closing(cast("Any", iter(Completed(handles, None, "gather")))) as ended:
        for handle in ended:
            if found.note(handle, outcome_of_item(handle, branch)):
                break
    cancel_all(cast("list[Handle[Any]]", found.left()), branch)
    return found.values()


async def _agather(calls: Sequence[Any], policy: Policy, branch: Branch | None) -> list[Any]:
    own: list[asyncio.Future[Any]] = []
    try:
        items: list[Waiting] = []
        for call in calls:
            if isinstance(call, Coroutine):
                own.append(asyncio.create_task(call))
            items.append(await aitem_of(call) if not isinstance(call, Coroutine) else own[-1])
        found = Found(items, policy)
        async with aclosing(Completed(items, None, "gather").endings()) as ended:
            async for item in ended:
                if found.note(item, outcome_of_item(item, branch)):
                    break
        left = found.left()
        tasks = [item for item in left if not isinstance(item, Handle)]
        for task in tasks:
            task.cancel()
        await acancel_all([item for item in left if isinstance(item, Handle)], branch)
        if tasks:
            await asyncio.wait(tasks)
    except BaseException:
        for task in own:
            task.cancel()
        raise
    return found.values()


async def aitem_of(call: Any) -> Waiting:
    """What is waited for."""
    if isinstance(call, partial):
        return await astart(call.func, (call.args, call.keywords), PLAIN)
    return cast("Waiting", call)


def outcome_of_item(item: Waiting, branch: Branch | None) -> Outcome:
    """How it has ended."""
    if isinstance(item, Handle):
        if branch is not None and (delivered := item.delivered_to(branch)) is not None:
            return delivered
        error = item.exception(0)
        check_ended(error)
        return Outcome(error=error) if error is not None else Outcome(item.result(0))
    if item.cancelled():
        return Outcome(error=asyncio.CancelledError())
    if isinstance(item.exception(), RunInterrupted):
        item.result()
    return Outcome(error=item.exception()) if item.exception() is not None else Outcome(item.result())


class Found:
    """What has ended so far, by the items' places."""

    def __init__(self, items: Sequence[Waiting], policy: Policy) -> None:
        self._items = items
        self._ended: dict[Waiting, Outcome] = {}
        self._tally = Tally(policy, "gather")

    def note(self, item: Waiting, outcome: Outcome) -> bool:
        """One has ended; whether the rest is to be cancelled."""
        self._ended[item] = outcome
        for _ in range(self._items.count(item)):
            self._tally.note(outcome.error)
        return self._tally.is_over

    def left(self) -> list[Waiting]:
        """Those that have not ended, each once."""
        return [item for item in dict.fromkeys(self._items) if item not in self._ended]

    def values(self) -> list[Any]:
        """What `gather` returns, or raises."""
        self._tally.check(is_all=True)
        return [self._value(item) for item in self._items]

    def _value(self, item: Waiting) -> Any:
        outcome = self._ended.get(item)
        if outcome is not None:
            return outcome.value if outcome.error is None else outcome.error
        if isinstance(item, Handle):
            told = f"run {item.run_id} was given up: enough others had succeeded"
            return RunCancelledError(told, run_id=item.run_id)
        return asyncio.CancelledError()
