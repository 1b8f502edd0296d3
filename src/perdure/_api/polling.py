"""`wait_for`: look again and again until something is so, with durable pauses."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from functools import partial
from math import inf
from typing import Any, TypeVar, overload

from .._core.definitions import find_definition
from .._core.flow import Flow, adrive, drive
from .._core.flows.several import begin_limit
from .._core.flows.sleep import sleep
from .._core.given import limit_of, seconds_of
from .._core.lineage import Branch
from .._core.several import Limit
from ..errors import UsageError
from ..typing import Seconds
from .app import running_loop
from .mapping import branch_here
from .steps import call, called, is_coroutine_function
from .waits import late

R = TypeVar("R")


@overload
def wait_for(
    condition: Callable[[], Coroutine[Any, Any, R]], *, every: Seconds = ..., timeout: Seconds | None = ...
) -> Coroutine[Any, Any, R]: ...
@overload
def wait_for(condition: Callable[[], R], *, every: Seconds = ..., timeout: Seconds | None = ...) -> Any: ...
def wait_for(condition: Callable[[], Any], *, every: Seconds = 1.0, timeout: Seconds | None = None) -> Any:
    """Call `condition()` until it gives something true, which is the value. `await` it on an event loop.

    The condition is a step, a `functools.partial` of one, or any function without parameters: that is called as a step
    under its own name, so that each answer is recorded. `every` is the pause between two calls, in seconds or as a
    `timedelta`; it is durable, and a long one lets the run leave memory. After `timeout` it is asked once more, and
    then `WaitTimeoutError` is raised; when that is over is recorded when the wait begins. An error of the condition is
    raised, after its retries. Outside a run it pauses with `time.sleep`, or `asyncio.sleep` on a loop.
    """
    pause = seconds_of(every, "wait_for: every", above_zero=True)
    limit = limit_of(timeout, "wait_for: timeout")
    ask = asking(condition)
    branch = branch_here()
    is_async = running_loop() is not None if branch is None else branch.is_async
    if not is_async and is_coroutine_function(underlying(condition)):
        raise UsageError(f"wait_for: {called(condition)} is async: wait for it in an `async def` workflow or on a loop")
    if branch is None:
        return _aoutside(ask, pause, limit) if is_async else _outside(ask, pause, limit)
    return _ain_run(branch, ask, pause, limit) if is_async else _in_run(branch, ask, pause, limit)


def underlying(condition: Any) -> Any:
    """The function of a partial."""
    while isinstance(condition, partial):
        condition = condition.func
    return condition


def asking(condition: Any) -> Callable[[], Any]:
    """What asks, as a recorded step."""
    if not callable(condition):
        raise UsageError(f"wait_for: give a function to call, not a {type(condition).__name__}")
    if find_definition(function := underlying(condition)) is not None:
        return condition  # type: ignore[no-any-return]  # callable, as was just seen
    with_name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return partial(call, f"condition {with_name}", condition)


def check_limit(reached: Limit | None, own: Limit | None) -> None:
    """Raise the error of a time that a block around the wait has set, where the pause ended with that."""
    if reached is not None and reached is not own:
        raise late(reached.seconds)


def begin(branch: Branch, timeout: float | None) -> Flow[Limit | None]:
    """The time at which the wait is over, in a branch of its own."""
    if timeout is None:
        return None
    inside = branch.fork("wait_for", is_async=branch.is_async)
    return (yield from begin_limit(branch.run, inside.next_key(), max(0.0, timeout)))


def pause(branch: Branch, every: float, own: Limit | None) -> Flow[Limit | None]:
    """Between two calls of the condition; the limit that comes first."""
    limits = (*branch.limits, *(() if own is None else (own,)))
    return sleep(branch.run, branch.next_key(), seconds=every, limits=limits)


def _in_run(branch: Branch, ask: Callable[[], Any], every: float, timeout: float | None) -> Any:
    own = drive(begin(branch, timeout), branch.run)
    while not (answer := ask()):
        if own is not None and own.is_over:
            raise late(own.seconds)
        check_limit(drive(pause(branch, every, own), branch.run), own)
    return answer


async def _ain_run(branch: Branch, ask: Callable[[], Any], every: float, seconds: float | None) -> Any:
    own = await adrive(begin(branch, seconds), branch.run)
    while not (answer := await given(ask())):
        if own is not None and own.is_over:
            raise late(own.seconds)
        await adrive(pause(branch, every, own), branch.run)
    return answer


async def given(answer: Any) -> Any:
    """The answer of a sync or async condition."""
    return await answer if inspect.isawaitable(answer) else answer


def until_of(timeout: float | None) -> float:
    """When the wait is over, by the monotonic clock."""
    return inf if timeout is None else time.monotonic() + timeout


def _outside(ask: Callable[[], Any], every: float, timeout: float | None) -> Any:
    until, is_over = until_of(timeout), False
    while not (answer := ask()):
        if is_over:
            raise late(timeout or 0.0)
        left = until - time.monotonic()
        is_over = left <= every
        time.sleep(max(0.0, min(every, left)))
    return answer


async def _aoutside(ask: Callable[[], Any], every: float, seconds: float | None) -> Any:
    until, is_over = until_of(seconds), False
    while not (answer := await given(ask())):
        if is_over:
            raise late(seconds or 0.0)
        left = until - time.monotonic()
        is_over = left <= every
        await asyncio.sleep(max(0.0, min(every, left)))
    return answer
