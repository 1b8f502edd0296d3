"""Does every task of a run wait durably? Only then may the run leave memory.

A task waits durably when what it waits for is the end of a run or a time, as the host knows, or other tasks of the
same run: directly, through a gather, a task group or `asyncio.wait` without a timeout. Everything else (a socket, a
timer, a queue, a commit) might wake it at any moment.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import lru_cache
from math import isfinite
from types import CoroutineType
from typing import Any


def waits_within(tasks: set[asyncio.Task[Any]], durable: set[asyncio.Future[Any]]) -> bool:
    """Whether each of the tasks waits for one of `durable` or for others of the tasks. What costs most is last."""
    return (
        bool(tasks)
        and all(waits_for_run(task, tasks, durable) for task in tasks)
        and not any(has_deadline(task) for task in tasks)
    )


def waits_for_run(task: asyncio.Task[Any], tasks: set[asyncio.Task[Any]], durable: set[asyncio.Future[Any]]) -> bool:
    """The same for one task, whatever ends its wait early."""
    waiter = getattr(task, "_fut_waiter", None)
    if waiter is None or waiter.done():
        return False
    if waiter in durable or waiter in tasks:
        return True
    if is_gather_of(waiter, tasks):
        return True
    return all_are_tasks(joined_tasks(task), tasks)


def is_gather_of(waiter: Any, tasks: set[asyncio.Task[Any]]) -> bool:
    """Whether it is a gather of tasks of the run, or of such gathers."""
    children = getattr(waiter, "_children", None)
    if children is None:
        return False
    return all(child.done() or child in tasks or is_gather_of(child, tasks) for child in children)


def has_deadline(task: asyncio.Task[Any]) -> bool:
    """Whether the task stands in a block that a timer will end, such as `asyncio.timeout` or anyio's `fail_after`.

    The open `with` blocks of a suspended coroutine are on its stack, which only the garbage collector shows.
    """
    coroutine: Any = task.get_coro()
    while isinstance(coroutine, CoroutineType):
        if any(is_deadline(entered) for entered in entered_by(coroutine)):
            return True
        coroutine = coroutine.cr_await
    return False


def entered_by(suspended: object) -> Iterator[object]:
    """What the blocks have entered that are open in a coroutine or generator: those of `@contextmanager` inside."""
    for held in gc.get_referents(suspended):
        entered = getattr(held, "__self__", held)
        if can_be_entered(type(entered)):  # type: ignore[arg-type]  # a type can be hashed
            yield entered
            if (inner := getattr(entered, "gen", None)) is not None:
                yield from entered_by(inner)
        elif isinstance(entered, asyncio.Timeout):
            yield entered


@lru_cache(maxsize=1024)
def can_be_entered(kind: type) -> bool:
    """Whether its instances are context managers."""
    return issubclass(kind, AbstractContextManager | AbstractAsyncContextManager)


def is_deadline(entered: object) -> bool:
    """Whether it ends its block at a certain time."""
    if isinstance(entered, asyncio.Timeout):
        return entered.when() is not None
    deadline = getattr(entered, "deadline", None)
    return isinstance(deadline, float | int) and isfinite(deadline)


def all_are_tasks(joined: Iterable[Any] | None, tasks: set[asyncio.Task[Any]]) -> bool:
    """Whether there is something joined and all of it belongs to the run."""
    return joined is not None and all(one in tasks or (asyncio.isfuture(one) and one.done()) for one in joined)


def joined_tasks(task: asyncio.Task[Any]) -> Iterable[Any] | None:
    """The tasks that this one waits for in a task group or in `asyncio.wait` without a timeout."""
    coroutine: Any = task.get_coro()
    while isinstance(coroutine, CoroutineType):
        frame, inner = coroutine.cr_frame, coroutine.cr_await
        if frame is None:
            return None
        module, name = frame.f_globals.get("__name__"), frame.f_code.co_name
        if module == "asyncio.taskgroups" and name == "__aexit__":
            group = frame.f_locals.get("self")
            return set(getattr(group, "_tasks", ()))
        if module == "asyncio.tasks" and name == "_wait":
            return None if frame.f_locals.get("timeout") is not None else frame.f_locals.get("fs")
        coroutine = inner
    return None
