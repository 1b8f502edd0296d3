"""Does every task of a run wait durably? Only then may the run leave memory.

A task waits durably when what it waits for is one of the host's own futures, or other tasks of the same run: directly,
through a gather, a task group or `asyncio.wait` without a timeout. Everything else (a socket, a timer, a queue) might
wake it at any moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import CoroutineType
from typing import Any


def waits_within(tasks: set[asyncio.Task[Any]], durable: set[asyncio.Future[Any]]) -> bool:
    """Whether each of the tasks waits for one of `durable` or for others of the tasks."""
    return bool(tasks) and all(waits_for_run(task, tasks, durable) for task in tasks)


def waits_for_run(task: asyncio.Task[Any], tasks: set[asyncio.Task[Any]], durable: set[asyncio.Future[Any]]) -> bool:
    """The same for one task."""
    waiter = getattr(task, "_fut_waiter", None)
    if waiter is None or waiter.done():
        return False
    if waiter in durable or waiter in tasks:
        return True
    children = getattr(waiter, "_children", None)  # a gather
    if children is not None:
        return all(child.done() or child in tasks for child in children)
    return all_are_tasks(joined_tasks(task), tasks)


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
