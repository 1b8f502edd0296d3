"""Timers of the run's own code, such as those of `asyncio.timeout`, while its record is replayed.

The invariant: **a timer that would cancel a call whose outcome is recorded does not go off before that was handed
over.** Live it did not either. A replay begins the timers of several branches close together, and may be slower than
life was; so by the clock alone one would go off too early.

While a run is behind its record its timers are taken off the loop. When nothing can be handed over, those that cancel
no recorded outcome go back: what they wait for is for the clock to say.

asyncio's loops keep their timers in a heap of handles. Other loops (uvloop) keep them to themselves: there the limits
of the blocks in which the run's tasks wait are lifted, and set again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from heapq import heapify, heappush
from math import inf
from typing import Any, Protocol

from msgspec import Struct

from ...._core.lineage import Branch, scope
from ...._core.run import Run
from .durable_waits import entered_by, is_deadline, suspended_in

FEW_TASKS = 64
"""The blocks of more are not looked for: it would be done for each outcome that is handed over."""

Tasks = Collection[asyncio.Task[Any]]
Futures = Collection[asyncio.Future[Any]]


class Timer(Protocol):
    """One that does not go off for now."""

    def cancels(self, tasks: Tasks) -> Iterable[asyncio.Future[Any]]:
        """What it would cancel, beside what is cancelled with that."""

    def give_back(self, loop: asyncio.AbstractEventLoop) -> None:
        """It goes off when its time comes, or has come; not where the run's code has cancelled it."""


class Scheduled(Struct, eq=False):
    """A handle that was taken off the loop's heap."""

    handle: asyncio.TimerHandle

    def cancels(self, tasks: Tasks) -> Iterable[asyncio.Future[Any]]:
        return cancelled_by(self.handle, tasks)

    def give_back(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self.handle.cancelled():
            self.handle._scheduled = True  # type: ignore[attr-defined]
            heappush(loop._scheduled, self.handle)  # type: ignore[attr-defined]


class Limit(Struct, eq=False):
    """A block of `asyncio.timeout` or a scope of anyio's, without its limit."""

    task: asyncio.Task[Any]
    block: Any
    at: float

    def cancels(self, tasks: Tasks) -> Iterable[asyncio.Future[Any]]:
        return [self.task]

    def give_back(self, loop: asyncio.AbstractEventLoop) -> None:
        if is_deadline(self.block):
            return  # the run's code has set another one
        with suppress(RuntimeError):  # the block was left
            set_limit(self.block, self.at)


Timers = list[Timer]


def take_timers(loop: asyncio.AbstractEventLoop, taken: Mapping[Run, tuple[Timers, Tasks]]) -> None:
    """Add those of each run, whose tasks these are."""
    scheduled: list[asyncio.TimerHandle] | None = getattr(loop, "_scheduled", None)
    if scheduled is None:
        for timers, tasks in taken.values():
            timers += limits_of(tasks)
        return
    has_any = False
    for handle in scheduled:
        here = handle._context.get(scope)  # type: ignore[attr-defined]  # as `Handle._run` does
        if type(here) is Branch and here.run in taken and not handle.cancelled():
            taken[here.run][0].append(Scheduled(handle))
            handle._scheduled, has_any = False, True  # type: ignore[attr-defined]  # as the loop does when one goes off
    if has_any:
        scheduled[:] = [handle for handle in scheduled if handle._scheduled]  # type: ignore[attr-defined]
        heapify(scheduled)


def limits_of(tasks: Tasks) -> Iterator[Limit]:
    """Those of the blocks in which the tasks wait, lifted."""
    block: Any
    for task in tasks if len(tasks) <= FEW_TASKS else ():
        for suspended, _ in suspended_in(task):
            for block in entered_by(suspended):
                if is_deadline(block) and is_known(block):
                    at: Any = block.when() if isinstance(block, asyncio.Timeout) else block.deadline
                    with suppress(RuntimeError):  # it is being left
                        set_limit(block, None)
                        yield Limit(task, block, at)


def is_known(block: Any) -> bool:
    """Whether it is one of asyncio's or anyio's: others may mean something else by a deadline."""
    return isinstance(block, asyncio.Timeout) or hasattr(block, "_host_task")


def set_limit(block: Any, at: float | None) -> None:
    """Have it end then, by the loop's clock."""
    if isinstance(block, asyncio.Timeout):
        block.reschedule(at)
    else:
        block.deadline = inf if at is None else at


def would_cancel(timer: Timer, tasks: Tasks, awaited: Futures) -> bool:
    """Whether a task that waits for one of these would be cancelled by the timer, or with one that is."""
    seen: set[asyncio.Future[Any]] = set()
    left = list(timer.cancels(tasks))
    while left:
        future = left.pop()
        if future in awaited:
            return True
        if future not in seen:
            seen.add(future)
            left += cancelled_with(future)
    return False


def cancelled_by(handle: asyncio.TimerHandle, tasks: Tasks) -> Iterator[asyncio.Future[Any]]:
    """What the handle cancels: the task of an `asyncio.timeout` or of a scope of anyio's, a task whose `cancel` it
    calls, and on Python 3.11 what an `asyncio.wait_for` waits for.
    """
    callback, arguments = handle._callback, handle._args  # type: ignore[attr-defined]
    owner = getattr(callback, "__self__", None)
    for task in (owner, getattr(owner, "_task", None), getattr(owner, "_host_task", None)):
        if isinstance(task, asyncio.Task):
            yield task
    if getattr(callback, "__name__", "") == "_release_waiter":
        for task in tasks:
            if getattr(task, "_fut_waiter", None) is arguments[0]:
                for _, frame in suspended_in(task):
                    if frame is not None and frame.f_code is asyncio.wait_for.__code__:
                        yield frame.f_locals["fut"]


def cancelled_with(future: asyncio.Future[Any]) -> Iterator[asyncio.Future[Any]]:
    """What is cancelled when this is: what the task waits for, the tasks of its groups, what is gathered."""
    yield from getattr(future, "_children", ())
    if isinstance(future, asyncio.Task):
        if (waiter := getattr(future, "_fut_waiter", None)) is not None:
            yield waiter
        for suspended, _ in suspended_in(future):
            for entered in entered_by(suspended):
                yield from getattr(entered, "_tasks", ())
