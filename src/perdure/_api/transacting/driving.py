"""Work on a connection, written once, driven with calls or with await."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import suppress
from inspect import isawaitable
from typing import Any, TypeVar

from ...stores.tails import Statement
from .opened import Ask, Asks, Opened, Source, Work

T = TypeVar("T")


def drive(work: Work[T]) -> T:
    """Do it on this thread."""
    try:
        asked = next(work)
        while True:
            try:
                reply = asked.work()
            except BaseException as error:
                asked = work.throw(error)
            else:
                asked = work.send(reply)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # the generator's type says T


async def adrive(work: Work[T]) -> T:
    """Do it on this loop. What is whole is finished before a cancellation that comes meanwhile is heard."""
    cancellation: asyncio.CancelledError | None = None
    try:
        asked = next(work)
        while True:
            try:
                reply = asked.work()
                if isawaitable(reply):
                    if asked.is_whole:
                        reply, cancelled = await whole(reply)
                        cancellation = cancellation or cancelled
                    else:
                        reply = await reply
            except BaseException as error:
                asked = work.throw(error)
            else:
                asked = work.send(reply)
    except StopIteration as stop:
        if cancellation is not None:
            raise cancellation from None
        return stop.value  # type: ignore[no-any-return]  # as above


async def whole(awaitable: Any) -> tuple[Any, asyncio.CancelledError | None]:
    """Its result, and the cancellation that came meanwhile."""
    task = asyncio.ensure_future(awaitable)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = cancellation or error
    return task.result(), cancellation


def asking(opened: Asks, statements: Generator[Statement, list[Any], T]) -> Work[T]:
    """What the statements say, asked of this connection."""
    try:
        statement = next(statements)
        while True:
            rows = yield Ask(lambda asked=statement: opened.ask(asked))  # type: ignore[misc]  # of this round
            statement = statements.send(rows)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # as above


def within(source: Source, inside: Any) -> Work[Any]:
    """Open a connection, have `inside(opened)` done on it, and give it back; after an error it is rolled back first."""
    opened: Opened = yield Ask(source.open)
    try:
        result = yield from inside(opened)
    except GeneratorExit:  # nobody may go on with this generator: a coroutine's connection ends with its objects
        if not source.is_async:
            with suppress(Exception):
                opened.rollback()
            with suppress(Exception):
                opened.close()
        raise
    except BaseException:
        with suppress(Exception):
            yield Ask(opened.rollback, is_whole=True)
        with suppress(Exception):
            yield Ask(opened.close, is_whole=True)
        raise
    with suppress(Exception):  # what was done is committed
        yield Ask(opened.close, is_whole=True)
    return result
