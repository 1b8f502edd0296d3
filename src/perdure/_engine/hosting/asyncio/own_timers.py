"""Timers of the run's own code, such as those of `asyncio.timeout`, while its record is replayed.

The invariant: **a timer that would cancel a call whose outcome is recorded does not go off before that was handed
over.** Live it did not either. A replay begins the timers of several branches close together, and may be slower than
life was; so by the clock alone one would go off too early.

While a run is behind its record its timers are taken off the loop. When nothing can be handed over, those that cancel
no recorded outcome go back: what they wait for is for the clock to say. asyncio's loops keep their timers in a heap of
handles; other loops (uvloop) keep them to themselves, and there the clock has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import heapify, heappush
from typing import Any

from ...._core.lineage import Branch, scope
from ...._core.run import Run
from .durable_waits import entered_by, suspended_in

Timers = list[asyncio.TimerHandle]


def take_timers(loop: asyncio.AbstractEventLoop, taken: Mapping[Run, Timers]) -> None:
    """Add those of each run, which the loop does not know any more."""
    scheduled: Timers = getattr(loop, "_scheduled", [])
    has_any = False
    for timer in scheduled:
        here = timer._context.get(scope)  # type: ignore[attr-defined]  # as `Handle._run` does
        if type(here) is Branch and here.run in taken and not timer.cancelled():
            taken[here.run].append(timer)
            timer._scheduled, has_any = False, True  # type: ignore[attr-defined]  # as the loop does when one goes off
    if has_any:
        scheduled[:] = [timer for timer in scheduled if timer._scheduled]  # type: ignore[attr-defined]
        heapify(scheduled)


def give_back(loop: asyncio.AbstractEventLoop, timer: asyncio.TimerHandle) -> None:
    """The loop has it again; it goes off at once where its time has come."""
    timer._scheduled = True  # type: ignore[attr-defined]
    heappush(loop._scheduled, timer)  # type: ignore[attr-defined]


def would_cancel(
    timer: asyncio.TimerHandle, tasks: Iterable[asyncio.Task[Any]], awaited: Collection[asyncio.Future[Any]]
) -> bool:
    """Whether a task that waits for one of these would be cancelled by the timer, or with one that is."""
    seen: set[asyncio.Future[Any]] = set()
    left = list(cancelled_by(timer, tasks))
    while left:
        future = left.pop()
        if future in awaited:
            return True
        if future not in seen:
            seen.add(future)
            left += cancelled_with(future)
    return False


def cancelled_by(timer: asyncio.TimerHandle, tasks: Iterable[asyncio.Task[Any]]) -> Iterator[asyncio.Future[Any]]:
    """What the timer cancels: the task of an `asyncio.timeout` or of a scope of anyio's, a task whose `cancel` it
    calls, and on Python 3.11 what an `asyncio.wait_for` waits for.
    """
    callback, arguments = timer._callback, timer._args  # type: ignore[attr-defined]
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
