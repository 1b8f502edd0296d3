"""A timer of the run's own code cancels no call whose outcome is recorded, however close together a replay begins them
or however slow it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest

import perdure
from tests.identity.execute import run_loop
from tests.identity.staging import PATIENCE_SECONDS, begin, launched, wait_until

BODIES: Counter[str] = Counter()
HELD = {"is": True}
SLOW = {"seconds": 0.0}
"""How long the workflow's own code stops the loop after each outcome."""


@pytest.fixture(autouse=True)
def begin_anew() -> None:
    """No bodies yet."""
    BODIES.clear()
    HELD["is"] = True
    SLOW["seconds"] = 0.0


@perdure.step
async def take(tag: str, seconds: float) -> str:
    """Takes its time, the first time."""
    BODIES[tag] += 1
    await asyncio.sleep(seconds)
    return tag


@perdure.step
async def last() -> str:
    """Runs until the process ends, in the first launch."""
    BODIES["last"] += 1
    if HELD["is"]:
        await asyncio.Event().wait()
    return "last"


def stop_loop() -> None:
    """Work of the workflow's own."""
    until = time.perf_counter() + SLOW["seconds"]
    while time.perf_counter() < until:
        pass


async def by_timeout(calls: Callable[[], Coroutine[Any, Any, str]], seconds: float) -> str:
    async with asyncio.timeout(seconds):
        return await calls()


async def by_wait_for(calls: Callable[[], Coroutine[Any, Any, str]], seconds: float) -> str:
    return await asyncio.wait_for(calls(), seconds)


async def by_anyio(calls: Callable[[], Coroutine[Any, Any, str]], seconds: float) -> str:
    with anyio.fail_after(seconds):
        return await calls()


async def by_call_later(calls: Callable[[], Coroutine[Any, Any, str]], seconds: float) -> str:
    task = asyncio.ensure_future(calls())
    timer = asyncio.get_running_loop().call_later(seconds, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise TimeoutError from None
    finally:
        timer.cancel()


async def alone(tag: str, seconds: float) -> str:
    return await take(tag, seconds)


async def gathered(tag: str, seconds: float) -> str:
    return "".join(await asyncio.gather(take(tag, seconds), take(f"{tag}'", seconds)))


async def grouped(tag: str, seconds: float) -> str:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(alone(one, seconds)) for one in (tag, f"{tag}'")]
    return "".join(task.result() for task in tasks)


async def grouped_by_anyio(tag: str, seconds: float) -> str:
    found: list[str] = []

    async def one(tag: str) -> None:
        found.append(await take(tag, seconds))

    async with anyio.create_task_group() as group:
        group.start_soon(one, tag)
        group.start_soon(one, f"{tag}'")
    return "".join(sorted(found))


LIMITS = {"timeout": by_timeout, "wait_for": by_wait_for, "anyio": by_anyio, "call_later": by_call_later}
CALLS = {"alone": alone, "gathered": gathered, "grouped": grouped, "grouped_by_anyio": grouped_by_anyio}


@perdure.workflow
async def side_by_side(limit: str, calls: str) -> list[str]:
    """One branch is cut off at 0.3 s; the other one begins its limit later, and keeps it."""
    limited, made = LIMITS[limit], CALLS[calls]
    out: list[str] = []

    async def cut_off() -> None:
        try:
            out.append(await limited(lambda: made("never", 30.0), 0.3))
        except TimeoutError:
            out.append("cut off")

    async def in_time() -> None:
        out.append(await take("before", 0.2))
        out.append(await limited(lambda: made("kept", 0.25), 0.3))

    await asyncio.gather(cut_off(), in_time())
    return [*out, await last()]


@pytest.mark.parametrize("calls", CALLS)
@pytest.mark.parametrize("limit", LIMITS)
def test_limits_beside_each_other(limit: str, calls: str, tmp_path: Path) -> None:
    """Live one is over before the other one begins to be; in a replay they begin within a millisecond."""
    url = str(tmp_path / "p.db")
    with launched(url):
        begin(side_by_side, limit, calls)
        wait_until(lambda: BODIES["last"] == 1)
    HELD["is"] = False
    bodies = dict(BODIES)
    with launched(url):
        kept = "kept" if calls == "alone" else "keptkept'"
        assert perdure.handle("r").result(PATIENCE_SECONDS) == ["before", "cut off", kept, "last"]
    assert {**bodies, "last": 2} == BODIES


async def live(url: str, function: Any, *args: str) -> Any:
    """On the loop of the caller: until the last body, which lasts, or to the end."""
    async with perdure.running(url, poll_seconds=0.05, replay_patience_seconds=0.3, shutdown_seconds=0.05):
        handle = await perdure.with_options(id="r").astart(function, *args)
        if not HELD["is"]:
            return await handle
        while BODIES["last"] == 0:  # noqa: ASYNC110 (another process would count them)
            await asyncio.sleep(0.01)
        return []


@pytest.mark.parametrize("calls", CALLS)
@pytest.mark.parametrize("limit", ["timeout", "anyio", *(["wait_for"] if sys.version_info >= (3, 12) else [])])
def test_limits_beside_each_other_on_uvloop(limit: str, calls: str, tmp_path: Path) -> None:
    """It shows no timers; the blocks show theirs."""
    url = str(tmp_path / "p.db")
    run_loop(live(url, side_by_side, limit, calls), kind="uvloop")
    HELD["is"] = False
    bodies = dict(BODIES)
    kept = "kept" if calls == "alone" else "keptkept'"
    assert run_loop(live(url, side_by_side, limit, calls), kind="uvloop") == ["before", "cut off", kept, "last"]
    assert {**bodies, "last": 2} == BODIES


class Budget(contextlib.AbstractContextManager[None]):
    """A block of the program's own, which ends nothing."""

    deadline = 12.0

    def __exit__(self, *_: object) -> None:
        return


@perdure.workflow
async def has_a_budget() -> list[float]:
    """It reads what nobody else may change."""
    found: list[float] = []

    async def one(tag: str) -> None:
        with (budget := Budget()):
            await take(tag, 0.0)
            found.append(budget.deadline)
            await take(f"{tag}'", 0.0)
            found.append(budget.deadline)

    await asyncio.gather(one("a"), one("b"))
    await last()
    return found


def test_a_block_of_another_kind_keeps_its_deadline(tmp_path: Path) -> None:
    """On uvloop, where blocks are looked at."""
    url = str(tmp_path / "p.db")
    run_loop(live(url, has_a_budget), kind="uvloop")
    HELD["is"] = False
    assert run_loop(live(url, has_a_budget), kind="uvloop") == [12.0] * 4


@perdure.workflow
async def limited() -> list[str]:
    """Every branch has a second, which a slow replay takes for one of them."""

    async def one(tag: str) -> str:
        async with asyncio.timeout(1.0):
            found = await take(tag, 0.0)
        stop_loop()
        return found

    return [*await asyncio.gather(*(one(f"{number}") for number in range(3))), await last()]


def test_a_slow_replay_is_no_difference(tmp_path: Path) -> None:
    """Also of one run, which nothing else is in the way of."""
    url = str(tmp_path / "p.db")
    with launched(url):
        begin(limited)
        wait_until(lambda: BODIES["last"] == 1)
    HELD["is"], SLOW["seconds"] = False, 1.05
    with launched(url):
        assert perdure.handle("r").result(PATIENCE_SECONDS) == ["0", "1", "2", "last"]
    assert max(BODIES[f"{number}"] for number in range(3)) == 1


@perdure.workflow
async def waits_itself() -> list[str]:
    """Its own waits are ended by timers, around no call, and around one that was not recorded."""
    out: list[str] = [await take("first", 0.0)]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            out.append(await take("second", 0.0))
            await asyncio.Event().wait()
    await asyncio.sleep(0.05)
    try:
        async with asyncio.timeout(0.3):
            out.append(await take("third", 0.0))
            out.append(await last())
    except TimeoutError:
        out.append("late")
    return [*out, await take("fourth", 0.0)]


def test_other_timers_go_off(tmp_path: Path) -> None:
    """Before the record is through, and after it."""
    url = str(tmp_path / "p.db")
    with launched(url):
        begin(waits_itself)
        wait_until(lambda: BODIES["last"] == 1)
    with launched(url):
        assert perdure.handle("r").result(PATIENCE_SECONDS) == ["first", "second", "third", "late", "fourth"]
    assert BODIES["second"] == BODIES["third"] == BODIES["fourth"] == 1


@perdure.workflow
async def child(tag: str) -> str:
    """Ends at once."""
    return await take(tag, 0.0)


@perdure.workflow
async def limits_children() -> list[str]:
    """What it waits for is read from the database when the limit is over by the clock."""

    async def one(tag: str) -> str:
        handle = await perdure.astart(child, f"child {tag}")
        async with asyncio.timeout(0.5):
            await take(f"before {tag}", 0.0)
            stop_loop()
            return await handle

    return [*await asyncio.gather(*(one(f"{number}") for number in range(3))), await last()]


def test_what_is_being_read_is_no_difference(store_url: str) -> None:
    """An end is read from the database."""
    with launched(store_url):
        begin(limits_children)
        wait_until(lambda: BODIES["last"] == 1)
    HELD["is"], SLOW["seconds"] = False, 0.3
    with launched(store_url):
        assert perdure.handle("r").result(PATIENCE_SECONDS) == [*(f"child {number}" for number in range(3)), "last"]
    assert max(BODIES[f"before {number}"] for number in range(3)) == 1
