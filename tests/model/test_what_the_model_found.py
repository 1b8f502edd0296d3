"""Holes that the model showed in the engine stay closed: each test plays a trace of the model on the real thing."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import perdure
from perdure._core.children import Children
from perdure._core.flow import Await, AwaitAny, AwaitEnd, AwaitTime
from perdure._core.run import Run
from perdure._core.serialization import Serializer
from perdure._core.serialization.registry import TypeRegistry
from perdure._core.several import Several
from perdure._engine.hosting.host import Host
from perdure._engine.hosting.waits import Waits
from perdure._entries import Wait

MAY_END = threading.Event()
STRANGER_RUNS = threading.Event()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """A launched instance on a fresh file."""
    MAY_END.clear()
    STRANGER_RUNS.clear()
    path = tmp_path / "perdure.db"
    with perdure.running(f"sqlite:///{path}"):
        yield path


@perdure.step(name="model:stranger")
def stranger() -> None:
    STRANGER_RUNS.set()
    assert MAY_END.wait(30)


@perdure.step(name="model:compute")
async def compute(seconds: float) -> None:
    await asyncio.to_thread(STRANGER_RUNS.wait, 30)
    await asyncio.sleep(seconds)


@perdure.workflow(name="model:branches")
async def branches() -> str:
    """A stranger takes the slot during the first sleep. Both sleepers want it back, one after the other."""

    async def first() -> None:
        await perdure.sleep(0.3)

    async def second() -> None:
        await compute(0.6)
        await perdure.sleep(0.05)

    async def third() -> None:
        await compute(1.0)
        MAY_END.set()

    await asyncio.gather(first(), second(), third())
    return "done"


def test_branches_that_ask_for_one_slot_get_one_slot(database: Path) -> None:
    """Two branches of a run wait for the slot of a queue with limit 1: both go on when it is free."""
    queue = perdure.Queue("one", worker_concurrency=1)
    handle = queue.submit(branches)
    queue.submit(stranger)

    assert handle.result(10) == "done"


@perdure.workflow(name="model:later")
def later() -> str:
    return "done"


def test_a_fenced_claim_joins_again(database: Path) -> None:
    """A worker that only claims learns there that its right is gone; the heartbeat may not see it for long."""
    handle = perdure.with_options(delay=0.5).start(later)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("DELETE FROM workers")

    assert handle.result(6) == "done"


def a_run() -> Run:
    """In memory, without a host."""
    return Run("parent", "claim", "workflow", "f", "", 1, None, Serializer(TypeRegistry()))


def test_a_park_has_not_seen_an_end_that_a_branch_waits_for() -> None:
    """The run knows that the child ended, the branch does not yet: parked now, it must wake by that end."""
    run = a_run()
    run.children = Children(ended={"a", "b"})
    waits = Waits()
    waits[AwaitEnd("a")] = None

    entry = Host.parking(None, run, waits)  # type: ignore[arg-type]  # it needs nothing of its host

    assert entry.waits_for == (Wait("children", seen=1),)


def test_a_park_names_whatever_any_branch_waits_for() -> None:
    """The first time, the children together, each other run, and what others send or say."""
    run = a_run()
    run.children = Children(open={"child": None})
    message, event = Wait("message", "topic"), Wait("event", "it", run_id="other")
    several = Several({"0": "child", "1": "stranger"}, deque())
    waits = Waits.fromkeys(
        [AwaitTime(7.0), AwaitAny(several, 5.0), Await(message), Await(event, 6.0), AwaitEnd("friend")]
    )

    entry = Host.parking(None, run, Waits(waits))  # type: ignore[arg-type]  # it needs nothing of its host

    assert entry.due_at == 5.0
    assert entry.waits_for == (Wait("children", seen=0), Wait("run", "stranger"), Wait("run", "friend"), message, event)
