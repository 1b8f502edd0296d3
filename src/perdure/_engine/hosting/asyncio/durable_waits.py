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
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any, Final

SUSPENDED: Final = (CoroutineType, GeneratorType, AsyncGeneratorType)
"""Types of what can be suspended, whose frame and blocks can be seen."""
WRAPPERS: Final = frozenset({"coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable"})
"""Types of the interpreter that stand between what awaits and what is awaited; they name neither."""


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

    The open `with` blocks of what is suspended are on its stack, which only the garbage collector shows.
    """
    return any(is_deadline(entered) for suspended, _ in suspended_in(task) for entered in entered_by(suspended))


def suspended_in(task: asyncio.Task[Any]) -> Iterator[tuple[object, FrameType | None]]:
    """What is suspended in a task that waits, and where: its coroutine, and what each awaits in turn."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        if isinstance(awaited, CoroutineType):
            yield awaited, awaited.cr_frame
            awaited = awaited.cr_await
        elif isinstance(awaited, GeneratorType):
            yield awaited, awaited.gi_frame
            awaited = awaited.gi_yieldfrom
        elif isinstance(awaited, AsyncGeneratorType):
            yield awaited, awaited.ag_frame
            awaited = awaited.ag_await
        else:
            awaited = next(filter(is_awaited, gc.get_referents(awaited)), None) if is_wrapper(awaited) else None


def is_wrapper(awaited: object) -> bool:
    """Whether the interpreter has put it around what is awaited."""
    return type(awaited).__name__ in WRAPPERS


def is_awaited(wrapped: object) -> bool:
    """Whether it is what a wrapper stands for."""
    return isinstance(wrapped, SUSPENDED) or is_wrapper(wrapped)


def entered_by(holder: object) -> Iterator[object]:
    """What the blocks have entered that are open in a coroutine or generator; and what that has entered itself: an exit
    stack, a function under `@contextmanager`, an object that keeps another one.
    """
    found: set[int] = set()
    holders = [holder]
    while holders:
        for held in gc.get_referents(holders.pop()):
            entered = getattr(held, "__self__", held)
            if not can_be_entered(type(entered)) or id(entered) in found:  # type: ignore[arg-type]  # it can be hashed
                continue
            found.add(id(entered))
            yield entered
            holders += parts_of(entered)


def parts_of(entered: object) -> list[object]:
    """What refers to what it has entered itself."""
    generator, callbacks = getattr(entered, "gen", None), getattr(entered, "_exit_callbacks", ())
    return [list(getattr(entered, "__dict__", {}).values()), *callbacks, *([] if generator is None else [generator])]


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
    for _, frame in suspended_in(task):
        if frame is None:
            return None
        module, name = frame.f_globals.get("__name__"), frame.f_code.co_name
        if module == "asyncio.taskgroups" and name == "__aexit__":
            group = frame.f_locals.get("self")
            return set(getattr(group, "_tasks", ()))
        if module == "asyncio.tasks" and name == "_wait":
            return None if frame.f_locals.get("timeout") is not None else frame.f_locals.get("fs")
    return None
