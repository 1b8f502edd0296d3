"""Waiting for several runs or tasks at once: `as_completed`, `wait` and `first`.

Which of them ends first is decided once: an end is a delivery of the run, and its place in the run's order is recorded,
so that a replay sees the same one first. The functions of `asyncio` and `concurrent.futures` by these names ask how
things stand at some moment, which no replay can repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Generator, Iterable, Iterator
from concurrent import futures
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar, cast, get_args, overload

from .._core.given import limit_of
from .._core.lineage import Branch, scope
from .._engine.hosting.asyncio.tasks import own_branch
from ..errors import UsageError, WaitTimeoutError
from ..typing import Seconds
from .app import running_loop
from .endings import Endings
from .handle import Handle
from .waits import OwnWait, late

if TYPE_CHECKING:
    from .seen import First

Awaited = Handle[Any] | asyncio.Future[Any]
"""What can be waited for: the handle of a run; on an event loop also a task or future."""

T = TypeVar("T", bound=Awaited)
F = TypeVar("F", bound=asyncio.Future[Any])
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
ReturnWhen = Literal["FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"]


class Waited(NamedTuple, Generic[T]):
    """What `wait` found, each in the order in which it was given."""

    done: list[T]
    pending: list[T]

    def __await__(self) -> Generator[Any, None, Waited[T]]:
        """Itself: so type checkers know what `await wait(...)` gives, and what `wait(...)` does."""
        yield from ()
        return self


def as_completed(items: Iterable[T], *, timeout: Seconds | None = None) -> Completed[T]:
    """The items as they end: `for handle in as_completed(handles)`, or `async for` on an event loop.

    `timeout` is for all of them, in seconds or as a `timedelta`, and begins with the loop; after it that gets a
    `WaitTimeoutError`, and what has not ended goes on. In a run the order is recorded. In sync code the items are
    handles.
    """
    return Completed(items, timeout, "as_completed")


@overload
def first(*items: F, timeout: Seconds | None = None) -> Coroutine[Any, Any, F]: ...
@overload
def first(*items: Handle[R], timeout: Seconds | None = None) -> First[R]: ...
@overload
def first(a: Handle[A], b: Handle[B], /, *, timeout: Seconds | None = None) -> First[A | B]: ...
@overload
def first(a: Handle[A], b: Handle[B], c: Handle[C], /, *, timeout: Seconds | None = None) -> First[A | B | C]: ...
@overload
def first(*items: Awaited, timeout: Seconds | None = None) -> Any: ...
def first(*items: Awaited, timeout: Seconds | None = None) -> Any:
    """The item that ends first, by a value or an error; in a run the choice is recorded. `await` it on an event loop.

    The others go on. `WaitTimeoutError` after `timeout`, in seconds or as a `timedelta`.
    """
    completed = Completed(items, timeout, "first")
    if not completed.items:
        raise UsageError("first: give at least one handle, task or future")
    return _afirst(completed) if completed.is_async else _first(completed)


def wait(items: Iterable[T], *, timeout: Seconds | None = None, return_when: ReturnWhen = "ALL_COMPLETED") -> Waited[T]:
    """`Waited(done, pending)`, as `concurrent.futures.wait` and `asyncio.wait` give it, but as lists in the order of
    the items: that of a set changes from process to process. `await` it on an event loop. A timeout is no error here.
    """
    if return_when not in get_args(ReturnWhen):
        raise UsageError(f"wait: return_when={return_when!r} is none of {', '.join(get_args(ReturnWhen))}")
    completed = Completed(items, timeout, "wait")
    if completed.is_async:
        return cast("Waited[T]", _await_all(completed, return_when))
    return _wait_all(completed, return_when)


class Completed(Generic[T]):
    """What `as_completed` gives: the items as they end, by `for` or `async for`."""

    def __init__(self, items: Iterable[T], timeout: Seconds | None, what: str) -> None:
        here = scope.get()
        self.items = checked(items, what)
        self.timeout = limit_of(timeout, f"{what}: timeout")
        self.branch = own_branch(here) if type(here) is Branch else None
        self.is_async = running_loop() is not None if self.branch is None else self.branch.is_async
        self._what = what
        for item in self.items:
            if isinstance(item, Handle):
                if self.branch is not None:
                    item.branch_in(self.branch)
            elif not self.is_async:
                raise UsageError(f"{what}: tasks and futures are waited for on their event loop; give handles of runs")

    def __iter__(self) -> Iterator[T]:
        if self.is_async:
            raise UsageError(f"{self._what}: on an event loop use `async for`")
        handles = cast("list[Handle[Any]]", self.items)
        found = _outside(handles, self.timeout) if self.branch is None else self._in_run(self.branch, handles)
        return cast("Iterator[T]", found)

    def __aiter__(self) -> AsyncIterator[T]:
        if not self.is_async:
            raise UsageError(f"{self._what}: in a sync workflow use `for`")
        return self.endings()

    def endings(self) -> Endings[T]:
        """The iterator of `async for`, which can be closed."""
        return Endings(self.items, self.timeout)

    def _in_run(self, branch: Branch, handles: list[Handle[Any]]) -> Iterator[Handle[Any]]:
        fresh = []
        for handle in handles:
            if handle.delivered_to(branch) is not None:
                yield handle
            else:
                fresh.append(handle)
        if not fresh:
            return
        own = OwnWait(branch, self._what, [handle.run_id for handle in fresh], self.timeout)
        try:
            while own:
                place, outcome = own.next()
                fresh[place].deliver(branch, outcome)
                yield fresh[place]
        finally:
            own.close()


def checked(items: Iterable[T], what: str) -> list[T]:
    """The items, each once."""
    if isinstance(items, Handle | asyncio.Future) or not isinstance(items, Iterable):
        raise UsageError(f"{what}: give a list of handles, or of tasks on an event loop, not a {type(items).__name__}")
    given = list(items)
    for item in given:
        if isinstance(item, Coroutine):
            for coroutine in given:
                if isinstance(coroutine, Coroutine):
                    coroutine.close()
            raise UsageError(f"{what}: make a task of the coroutine {named(item)} first: asyncio.create_task(...)")
        if not isinstance(item, Handle | asyncio.Future):
            raise UsageError(f"{what}: give handles of runs, or tasks on an event loop, not a {type(item).__name__}")
    return list(dict.fromkeys(given))


def named(coroutine: object) -> str:
    """What the coroutine is called."""
    return getattr(coroutine, "__qualname__", type(coroutine).__qualname__)


def _outside(handles: list[Handle[Any]], timeout: float | None) -> Iterator[Handle[Any]]:
    completed = futures.as_completed(handles, timeout)
    while True:
        try:
            handle = next(completed)
        except StopIteration:
            return
        except TimeoutError:
            raise late(timeout or 0.0) from None
        yield cast("Handle[Any]", handle)


def _first(completed: Completed[T]) -> T:
    with closing(cast("Any", iter(completed))) as found:
        return cast("T", next(found))


async def _afirst(completed: Completed[T]) -> T:
    async with aclosing(completed.endings()) as found:
        return await anext(found)


def _wait_all(completed: Completed[T], return_when: ReturnWhen) -> Waited[T]:
    done: list[T] = []
    try:
        with closing(cast("Any", iter(completed))) as found:
            for item in found:
                done.append(item)
                if is_over(item, return_when, completed.branch):
                    break
    except WaitTimeoutError:
        if completed.branch is not None and any(limit.is_over for limit in completed.branch.limits):
            raise  # of a block around this
    return waited(completed.items, done)


async def _await_all(completed: Completed[T], return_when: ReturnWhen) -> Waited[T]:
    done: list[T] = []
    try:
        async with aclosing(completed.endings()) as found:
            async for item in found:
                done.append(item)
                if is_over(item, return_when, completed.branch):
                    break
    except WaitTimeoutError:
        pass
    return waited(completed.items, done)


def is_over(item: Awaited, return_when: ReturnWhen, branch: Branch | None) -> bool:
    """Whether `wait` returns, now that this one has ended."""
    return return_when == "FIRST_COMPLETED" or (return_when == "FIRST_EXCEPTION" and has_failed(item, branch))


def has_failed(item: Awaited, branch: Branch | None) -> bool:
    """Whether an item that has ended has an error."""
    if isinstance(item, asyncio.Future):
        return item.cancelled() or item.exception() is not None
    if branch is None:
        return item.exception(0) is not None
    delivered = item.delivered_to(branch)
    return delivered is not None and delivered.error is not None


def waited(items: list[T], done: list[T]) -> Waited[T]:
    """What was found, in the order of the items."""
    ended = set(map(id, done))
    return Waited([item for item in items if id(item) in ended], [item for item in items if id(item) not in ended])
