"""A run leaves memory when every branch waits durably, for long enough; then it costs a row, and wakes on time."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure._engine.hosting.asyncio import host as loop_host
from tests.identity.staging import (
    PATIENCE_SECONDS,
    RUN_ID,
    begin,
    launched,
    look,
    recorded_names,
    wait_until,
    wait_until_parked,
)

BODIES: Counter[str] = Counter()
LONG = 3600.0
SETTINGS = {"park_after_seconds": 0.05}


@perdure.step
async def quick(tag: str) -> str:
    BODIES[tag] += 1
    return tag


@perdure.step
def sync_quick(tag: str) -> str:
    BODIES[tag] += 1
    return tag


@perdure.workflow
async def short(tag: str) -> str:
    await perdure.sleep(0.3)
    return tag


@perdure.workflow
async def endless() -> None:
    await perdure.sleep(LONG)


@pytest.fixture(autouse=True)
def begin_anew() -> None:
    """No bodies yet."""
    BODIES.clear()


def has_branch_threads() -> bool:
    """Whether a thread of `perdure.threads()` is alive."""
    return any(thread.name.startswith("perdure-branch") for thread in threading.enumerate())


@perdure.workflow
async def sleeping(seconds: float) -> str:
    await quick("before")
    await perdure.sleep(seconds)
    return await quick("after")


@perdure.workflow
def sync_sleeping(seconds: float) -> str:
    sync_quick("before")
    perdure.sleep(seconds)
    return sync_quick("after")


@pytest.mark.parametrize("program", [sleeping, sync_sleeping])
def test_a_long_sleep_leaves_memory_and_wakes_on_time(program: Callable[..., Any], store_url: str) -> None:
    """Parked with the time to wake, held by nobody; it goes on when that has come, not before."""
    began = time.time()
    with launched(store_url, **SETTINGS) as app:
        handle = begin(program, 0.5)
        row = wait_until_parked(store_url)
        wait_until(lambda: not app._launched().held.active)
        assert row.worker_id is None
        assert row.due_at is not None
        assert began + 0.5 <= row.due_at <= time.time() + 0.5
        assert handle.result(PATIENCE_SECONDS) == "after"
    assert time.time() >= began + 0.5
    assert BODIES == {"before": 1, "after": 1}


@pytest.mark.parametrize("program", [sleeping, sync_sleeping])
def test_a_fresh_process_wakes_what_another_parked(program: Callable[..., Any], tmp_path: Path) -> None:
    """The time to wake is in the row; the wait does not begin anew."""
    url = str(tmp_path / "p.db")
    with launched(url, **SETTINGS):
        begin(program, 0.5)
        due_at = wait_until_parked(url).due_at
    assert look(url).state == "parked"
    with launched(url, **SETTINGS):
        assert perdure.handle(RUN_ID).result(PATIENCE_SECONDS) == "after"
        assert due_at is not None
        assert due_at <= time.time() < due_at + 5
    assert BODIES == {"before": 1, "after": 1}


async def sleep_long() -> None:
    await perdure.sleep(LONG)


async def by_gather() -> None:
    await asyncio.gather(sleep_long(), perdure.sleep(LONG), asyncio.gather(sleep_long()))


async def by_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(sleep_long())
        group.create_task(by_gather())


async def by_wait() -> None:
    await asyncio.wait([asyncio.create_task(sleep_long()), asyncio.create_task(endless())])


async def by_handles() -> None:
    await asyncio.gather(await perdure.astart(endless), endless())


async def after_work() -> None:
    """One branch ends long after the others began to wait."""

    async def one() -> None:
        await asyncio.sleep(0.15)
        await quick("worked")

    await asyncio.gather(sleep_long(), one())


async def endless_group() -> AsyncIterator[None]:
    """A generator whose group waits."""
    async with asyncio.TaskGroup() as group:
        group.create_task(sleep_long())
        yield


async def by_group_in_generator() -> None:
    async for _ in endless_group():
        pass


async def by_limitless_timeout() -> None:
    async with asyncio.timeout(None):
        await perdure.sleep(LONG)


def by_threads() -> None:
    with perdure.threads() as pool:
        for made in [pool.submit(perdure.sleep, LONG) for _ in range(3)]:
            made.result()


def by_nested_threads() -> None:
    with perdure.threads() as pool:
        pool.submit(by_threads)
        pool.submit(perdure.sleep, LONG)


WAITING = [
    by_gather,
    by_group,
    by_wait,
    by_handles,
    after_work,
    by_limitless_timeout,
    by_group_in_generator,
    by_threads,
    by_nested_threads,
]


def by_timed_thread() -> None:
    with perdure.threads() as pool:
        pool.submit(perdure.sleep, LONG)
        pool.submit(perdure.start(endless).result).result(LONG)


CODE = {program.__name__: program for program in [*WAITING, by_timed_thread]}


@perdure.workflow
async def waiting(program: str) -> None:
    await CODE[program]()


@perdure.workflow
def sync_waiting(program: str) -> None:
    CODE[program]()


def begin_waiting(program: Callable[..., Any]) -> None:
    """Start the program as what it is."""
    begin(waiting if inspect.iscoroutinefunction(program) else sync_waiting, program.__name__)


@pytest.mark.parametrize("program", WAITING, ids=lambda program: program.__name__)
def test_a_run_of_which_all_branches_wait_durably_is_parked(program: Callable[..., Any], tmp_path: Path) -> None:
    """Whatever gathers the branches; nothing of the run stays in memory."""
    url = str(tmp_path / "p.db")
    with launched(url, **SETTINGS) as app:
        begin_waiting(program)
        wait_until_parked(url)
        wait_until(lambda: RUN_ID not in app._launched().held.active)
        if program.__name__.endswith("threads"):
            wait_until(lambda: not has_branch_threads())


@pytest.mark.parametrize(("crowd", "seconds"), [(0.75, 0.05), (0.25, 60.0)], ids=["soon", "at once"])
def test_where_many_are_in_memory_those_that_wait_leave_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crowd: float, seconds: float
) -> None:
    """Not only after the minute that a lone one may stay; and one is more than a crowd here, or more than two."""
    monkeypatch.setattr(loop_host, "CROWD", crowd)
    monkeypatch.setattr(loop_host, "CROWDED_SECONDS", seconds)
    with launched(str(tmp_path / "p.db")):
        begin_waiting(by_gather)
        wait_until_parked(str(tmp_path / "p.db"))


def test_a_thread_that_will_give_up_waiting_keeps_the_run_in_memory(tmp_path: Path) -> None:
    """The time when it gives up is in memory only."""
    url = str(tmp_path / "p.db")
    with launched(url, **SETTINGS) as app:
        begin_waiting(by_timed_thread)
        wait_until(lambda: RUN_ID in app._launched().held.active)
        run = app._launched().held.active[RUN_ID]
        wait_until(lambda: len(run.state.waits) == 2)
        host, late = app._launched().execution.thread_host, time.monotonic() - 1
        with run.state.changed:
            assert not host._should_park(run, run.state, late)
            run.state.timed = 0
            assert host._should_park(run, run.state, late)  # but for that it would leave
            run.state.timed = 1


async def swallows_everything() -> str:
    for _ in range(3):
        with suppress(BaseException):
            await perdure.sleep(LONG)
    return "swallowed"


async def works_in_finally() -> str:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(sleep_long())
            await perdure.sleep(LONG)
    finally:
        with suppress(Exception):
            await quick("finally")


async def asks_for_more() -> None:
    with suppress(BaseException):
        await by_group()
    with suppress(BaseException):
        perdure.start(endless)
    with suppress(BaseException):
        perdure.now()
    await asyncio.gather(quick("more"), quick("and more"), return_exceptions=True)


def sync_swallows() -> str:
    with suppress(BaseException):
        perdure.sleep(LONG)
    with suppress(BaseException):
        sync_quick("more")
    with suppress(BaseException):
        perdure.start(endless)
    return "swallowed"


UNWINDING = [swallows_everything, works_in_finally, asks_for_more, sync_swallows]
CODE.update({program.__name__: program for program in UNWINDING})


@pytest.mark.parametrize("program", UNWINDING, ids=lambda program: program.__name__)
def test_code_that_swallows_the_unwinding_does_nothing_durable(program: Callable[..., Any], tmp_path: Path) -> None:
    """The claim has ended before: no body, no checkpoint, no child, no end."""
    url = str(tmp_path / "p.db")
    with launched(url, **SETTINGS) as app:
        begin_waiting(program)
        wait_until_parked(url)
        names = recorded_names(url)
        wait_until(lambda: not app._launched().held.active)
    row = look(url)
    assert row.state == "parked"
    assert not row.needs_mend
    assert not BODIES
    assert recorded_names(url) == names
    assert set(names.values()) == {"sleep"}


def test_a_parked_parent_wakes_when_its_child_ends(tmp_path: Path) -> None:
    """And goes on with the child's value, its steps not run again."""
    url = str(tmp_path / "p.db")
    with launched(url, **SETTINGS):
        handle = begin(family)
        wait_until_parked(url)
        assert handle.result(PATIENCE_SECONDS) == ["before", "a", "b"]
    assert BODIES == {"before": 1}


@perdure.workflow
async def family() -> list[str]:
    first = await quick("before")
    return [first, *await asyncio.gather(short("a"), await perdure.astart(short, "b"))]
