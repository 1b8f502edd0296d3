"""Nothing new begins in a replay before everything recorded was handed over: a difference shows before any effect."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import perdure
from tests.identity.staging import PATIENCE_SECONDS, begin, launched, wait_until, wait_until_parked

BODIES: Counter[str] = Counter()
REACHED = threading.Event()
LET_GO = threading.Event()
IS_HELD = True
NAME = {"branch": "one"}
"""What the helper is called whose calls are made in branches: a deployment renames it."""


@perdure.step
async def charge(customer: str) -> str:
    BODIES[customer] += 1
    return customer


@perdure.step
def sync_charge(customer: str) -> str:
    BODIES[customer] += 1
    return customer


@perdure.workflow
async def charging(customer: str) -> str:
    BODIES[customer] += 1
    return customer


@perdure.step
async def hold() -> str:
    """Runs until the process ends, in the first launch of a test."""
    REACHED.set()
    if IS_HELD:
        await asyncio.Event().wait()
    return "last"


@perdure.step
def sync_hold() -> str:
    REACHED.set()
    if IS_HELD:
        LET_GO.wait(PATIENCE_SECONDS)
    return "last"


@pytest.fixture(autouse=True)
def begin_anew() -> None:
    """No bodies yet."""
    global IS_HELD
    BODIES.clear()
    REACHED.clear()
    LET_GO.clear()
    NAME["branch"] = "one"
    IS_HELD = True


async def by_step(customer: str) -> None:
    await charge(customer)


async def by_sync_step(customer: str) -> None:
    sync_charge(customer)


async def by_child(customer: str) -> None:
    await charging(customer)


async def by_started_child(customer: str) -> None:
    perdure.start(charging, customer)


async def by_started_and_awaited_child(customer: str) -> None:
    await perdure.astart(charging, customer)


async def after_a_value(customer: str) -> None:
    perdure.now()
    await charge(customer)


async def after_a_sleep(customer: str) -> None:
    await perdure.sleep(0)
    sync_charge(customer)


async def after_a_pause(customer: str) -> None:
    await asyncio.sleep(0.001)
    await charge(customer)


async def behind_a_lock(customer: str) -> None:
    async with LOCKS["lock"]:
        await charge(customer)


LOCKS: dict[str, asyncio.Lock] = {}
WAYS = {
    way.__name__: way
    for way in (
        by_step,
        by_sync_step,
        by_child,
        by_started_child,
        by_started_and_awaited_child,
        after_a_value,
        after_a_sleep,
        after_a_pause,
        behind_a_lock,
    )
}


@perdure.workflow
async def renamed(way: str) -> str:
    LOCKS["lock"] = asyncio.Lock()

    async def one(customer: str) -> None:
        await WAYS[way](customer)

    one.__qualname__ = NAME["branch"]
    await asyncio.gather(*(one(customer) for customer in ("ann", "bob")))
    return await hold()


@pytest.mark.parametrize("way", list(WAYS))
def test_a_renamed_branch_repeats_nothing(way: str, store_url: str) -> None:
    """Whatever its first call is: parked with the difference, no body ran; with the old name it goes on."""
    global IS_HELD
    with launched(store_url) as app:
        begin(renamed, way)
        assert REACHED.wait(PATIENCE_SECONDS)
        wait_until(lambda: BODIES == {"ann": 1, "bob": 1})
        wait_until(lambda: len(app._launched().held.active) == 1)  # what was started has ended
    NAME["branch"] = "charge_one"
    IS_HELD = False
    with launched(store_url, replay_patience_seconds=0.2):
        row = wait_until_parked(store_url)
    assert row.needs_mend
    assert "one.0/0" in (row.reason or "")
    assert BODIES == {"ann": 1, "bob": 1}
    NAME["branch"] = "one"
    with launched(store_url):
        assert perdure.handle("r").result(PATIENCE_SECONDS) == "last"
    assert BODIES == {"ann": 1, "bob": 1}


@perdure.workflow
def renamed_in_threads(starts_late: bool) -> str:
    def one(customer: str) -> str:
        return sync_charge(customer)

    one.__qualname__ = NAME["branch"]
    with perdure.threads() as pool:
        made = [pool.submit(one, customer) for customer in ("ann", "bob")]
        for future in made:
            future.result()
    return sync_hold()


def test_a_renamed_branch_in_threads_repeats_nothing(store_url: str) -> None:
    """And is seen at once, whatever the patience: every thread waits, and nobody else could ask."""
    global IS_HELD
    with launched(store_url):
        begin(renamed_in_threads, False)
        assert REACHED.wait(PATIENCE_SECONDS)
    LET_GO.set()
    NAME["branch"] = "charge_one"
    IS_HELD = False
    with launched(store_url, replay_patience_seconds=3600.0):
        row = wait_until_parked(store_url)
    assert "one.0/0" in (row.reason or "")
    assert BODIES == {"ann": 1, "bob": 1}
    NAME["branch"] = "one"
    with launched(store_url):
        assert perdure.handle("r").result(PATIENCE_SECONDS) == "last"


def test_a_difference_that_nothing_can_mend_is_seen_at_once(tmp_path: Path) -> None:
    """Not after the patience: all branches wait for each other."""
    global IS_HELD
    url = str(tmp_path / "p.db")
    with launched(url):
        begin(renamed, "by_step")
        assert REACHED.wait(PATIENCE_SECONDS)
    NAME["branch"] = "charge_one"
    IS_HELD = False
    with launched(url, replay_patience_seconds=3600.0):
        wait_until_parked(url)


@perdure.workflow
async def new_call_first() -> list[str]:
    """At the replay the first branch makes its new call long before the other one has had all that is recorded."""
    had: list[int] = []

    async def long() -> str:
        for number in range(30):
            await charge(f"long {number}")
            had.append(number)
            if not number % 10:
                await asyncio.sleep(0.001)
        return await hold()

    async def other() -> str:
        await charge("other")
        return await hold_too(had)

    return await asyncio.gather(other(), long())


@perdure.step(name="hold_too")
async def hold_too(had: list[int]) -> str:
    BODIES["too"] += 1
    if IS_HELD:
        await asyncio.Event().wait()
    HAD.append(POSITION())
    return "too"


HAD: list[int] = []
POSITION: Callable[[], int] = int
"""How much the replay has handed over."""


def test_a_new_call_waits_for_all_that_is_recorded(store_url: str) -> None:
    """Then it runs: it is no difference that it was asked for early."""
    global IS_HELD, POSITION
    HAD.clear()
    with launched(store_url):
        begin(new_call_first)
        assert REACHED.wait(PATIENCE_SECONDS)
    assert BODIES.pop("too") == 1
    IS_HELD = False
    with launched(store_url, replay_patience_seconds=5.0) as app:
        active = app._launched().held.active
        POSITION = partial(lambda: active["r"].order.next_position)
        assert perdure.handle("r").result(PATIENCE_SECONDS) == ["too", "last"]
    assert HAD[0] >= 31
    assert set(BODIES.values()) == {1}


@perdure.workflow
async def limited(number: int) -> str:
    """Steps that it gives up after a second by a clock of its own, and work of the run's own that stops the loop."""
    began = time.perf_counter()

    async def one(name: str) -> str:
        found = await charge(name)
        until = time.perf_counter() + CRUNCH["seconds"]
        while time.perf_counter() < until:
            pass
        if time.perf_counter() > began + 1.0:
            for task in tasks:
                task.cancel()
        return found

    tasks = [asyncio.create_task(one(f"{number} {name}")) for name in range(4)]
    await asyncio.gather(*tasks)
    return await hold_all()


CRUNCH = {"seconds": 0.0}
HOLDING: list[None] = []


@perdure.step
async def hold_all() -> str:
    HOLDING.append(None)
    if IS_HELD:
        await asyncio.Event().wait()
    return "last"


def test_a_crowded_recovery_is_no_difference(store_url: str) -> None:
    """Ten runs replay at once on one loop, and their time is over first: they are tried again, one at a time."""
    global IS_HELD
    HOLDING.clear()
    CRUNCH["seconds"] = 0.0
    with launched(store_url):
        for number in range(10):
            perdure.with_options(id=f"r{number}").start(limited, number)
        wait_until(lambda: len(HOLDING) == 10)
    IS_HELD = False
    CRUNCH["seconds"] = 0.06
    with launched(store_url, replay_patience_seconds=5.0):
        assert [perdure.handle(f"r{number}").result(60) for number in range(10)] == ["last"] * 10
    assert set(BODIES.values()) == {1}


def test_what_differs_again_is_parked_and_says_both(tmp_path: Path) -> None:
    """Alone its time is still over first."""
    global IS_HELD
    HOLDING.clear()
    CRUNCH["seconds"] = 0.0
    url = str(tmp_path / "p.db")
    with launched(url):
        begin(limited, 0)
        wait_until(lambda: len(HOLDING) == 1)
    IS_HELD = False
    CRUNCH["seconds"] = 1.05
    with launched(url):
        row = wait_until_parked(url)
    assert "second try" in (row.reason or "")
    assert (row.reason or "").count("the code gave the call up before its recorded outcome") == 2
    CRUNCH["seconds"] = 0.0
    with launched(url):
        assert perdure.handle("r").result(PATIENCE_SECONDS) == "last"
    assert set(BODIES.values()) == {1}
