"""A run that something else may wake than what it waits for durably stays in memory: a timer, or one busy branch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure.stores.protocol import RunRow
from tests.identity.staging import begin, launched, look, wait_until

LONG = 3600.0


async def sleep_long() -> None:
    await perdure.sleep(LONG)


async def in_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(sleep_long())
        group.create_task(sleep_long())


async def by_timer() -> None:
    async with asyncio.timeout(LONG):
        await perdure.sleep(LONG)


async def by_timer_around_tasks() -> None:
    async with asyncio.timeout(LONG):
        await in_group()


async def by_wait_for() -> None:
    await asyncio.wait_for(sleep_long(), LONG)


@asynccontextmanager
async def own_limit() -> Any:
    async with asyncio.timeout(LONG):
        yield


async def by_own_limit() -> None:
    async with own_limit():
        await perdure.sleep(LONG)


async def in_own_limit() -> AsyncIterator[None]:
    """A generator that waits, in a block that a timer will end."""
    async with asyncio.timeout(LONG):
        await perdure.sleep(LONG)
        yield


async def by_generator() -> None:
    async for _ in in_own_limit():
        pass


class Called:
    """Is awaited, and awaits a coroutine in turn."""

    def __await__(self) -> Generator[Any, None, None]:
        return by_timer().__await__()


class CalledByGenerator:
    """The same, written as a generator."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from by_timer().__await__()


async def by_awaitable() -> None:
    await Called()


async def by_awaited_generator() -> None:
    await CalledByGenerator()


async def by_exit_stack() -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(own_limit())
        await perdure.sleep(LONG)


class Limited:
    """A block of one's own around asyncio's."""

    def __init__(self) -> None:
        self.limit = asyncio.timeout(LONG)

    async def __aenter__(self) -> None:
        await self.limit.__aenter__()

    async def __aexit__(self, *error: Any) -> bool | None:
        return await self.limit.__aexit__(*error)


async def by_object() -> None:
    async with Limited():
        await perdure.sleep(LONG)


async def by_anyio() -> None:
    anyio = pytest.importorskip("anyio")
    with anyio.fail_after(LONG):
        await perdure.sleep(LONG)


async def by_wait_with_timeout() -> None:
    await asyncio.wait([asyncio.create_task(sleep_long())], timeout=LONG)


async def by_one_busy_branch() -> None:
    await asyncio.gather(sleep_long(), asyncio.sleep(LONG))


async def by_busy_step() -> None:
    await asyncio.gather(sleep_long(), busy())


@perdure.step
async def busy() -> None:
    await asyncio.sleep(LONG)


NOT_ALL_WAITING = [
    by_timer,
    by_timer_around_tasks,
    by_wait_for,
    by_own_limit,
    by_generator,
    by_awaitable,
    by_awaited_generator,
    by_exit_stack,
    by_object,
    by_anyio,
    by_wait_with_timeout,
    by_one_busy_branch,
    by_busy_step,
]
CODE = {program.__name__: program for program in NOT_ALL_WAITING}


@perdure.workflow
async def waiting(program: str) -> None:
    await CODE[program]()


@pytest.mark.parametrize("program", NOT_ALL_WAITING, ids=lambda program: program.__name__)
def test_a_run_that_something_else_may_wake_is_not_parked(program: Callable[..., Any], tmp_path: Path) -> None:
    """A timer, or a branch that waits for something else, would be lost with the run's memory."""
    url = str(tmp_path / "p.db")
    with launched(url, park_after_seconds=0.05) as app:
        begin(waiting, program.__name__)
        host = app._launched().execution.loop_host
        looks: list[RunRow] = []
        consider = host._consider_parking

        def look_too(run: Any, has_waited: bool) -> None:
            consider(run, has_waited)
            looks.append(look(url))

        host._consider_parking = look_too  # type: ignore[method-assign]  # it is watched, not replaced
        wait_until(lambda: len(looks) >= 2)
    assert {row.state for row in looks[:2]} == {"held"}  # a later look may meet the shutdown, which hands the run back
