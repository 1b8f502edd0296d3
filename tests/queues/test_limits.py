"""Limits that hold for all processes together, in the engine: two instances on one database stand for two processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import perdure
from perdure import Client, Perdure
from tests.processes.waiting import wait_until
from tests.stores.conftest import KINDS, postgres_url  # noqa: F401  # a fixture

SINGLE = perdure.Queue("limits, one", concurrency=1)
TRIPLE = perdure.Queue("limits, three", concurrency=3)
FREE = perdure.Queue("limits, none")

GUARD = threading.Lock()
MAY_END = threading.Event()
RUNNING: set[str] = set()
MOST: list[int] = []


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return str(tmp_path / "perdure.db")


@pytest.fixture
def apps(url: str) -> Iterator[list[Perdure]]:
    """Two instances that work on it."""
    MAY_END.clear()
    RUNNING.clear()
    MOST.clear()
    with ExitStack() as stack:
        apps = [Perdure(url, poll_seconds=0.2) for _ in range(2)]
        for app in apps:
            app.launch()
            stack.callback(app.shutdown)
        stack.callback(MAY_END.set)
        yield apps


@perdure.step(name="limits:work")
def work(name: str, *, waits: bool = False) -> str:
    """Notes how many execute at once."""
    with GUARD:
        RUNNING.add(name)
        MOST.append(len(RUNNING))
    if waits:
        MAY_END.wait(20)
    with GUARD:
        RUNNING.discard(name)
    return name


@perdure.workflow(name="limits:family")
def family(depth: int) -> int:
    """Each waits for one more of the same queue."""
    return 0 if depth == 0 else 1 + SINGLE.submit(family, depth - 1).result()


@perdure.workflow(name="limits:async-family")
async def async_family(depth: int, width: int) -> int:
    """Each waits for several of the same queue."""
    if depth == 0:
        return 1
    handles = [await SINGLE.asubmit(async_family, depth - 1, width) for _ in range(width)]
    return sum(await asyncio.gather(*handles))


@perdure.workflow(name="limits:late-family")
def late_family() -> str:
    """Waits for one of the same queue that begins later."""
    child = SINGLE.with_options(delay=1.5).submit(work, "child")
    RUNNING.add("waits")
    return child.result()


def test_no_more_than_the_limit_execute_in_all(apps: list[Perdure], url: str) -> None:
    """Whoever submits, and whoever executes."""
    with apps[0].running(), Client(url) as client:
        handles = [TRIPLE.submit(work, f"{number}") for number in range(20)]
        outside = client.with_options(queue=TRIPLE)
        handles += outside.submit_many(work, [[f"{number}"] for number in range(20, 40)])
        numbers = [int(handle.result(20)) for handle in handles]
    assert numbers == [*range(40)]
    assert max(MOST) <= 3


def test_parents_and_children_in_one_queue_of_one_place_finish(apps: list[Perdure]) -> None:
    """Who waits has no slot, in the database too; and goes on before anything new begins."""
    with apps[0].running():
        handles = [SINGLE.submit(family, 3) for _ in range(3)]
        assert [handle.result(30) for handle in handles] == [3, 3, 3]


def test_async_parents_with_several_children_finish(apps: list[Perdure]) -> None:
    """All of whose branches wait."""
    with apps[1].running():
        handles = [SINGLE.submit(async_family, 2, 3) for _ in range(2)]
        assert [handle.result(30) for handle in handles] == [9, 9]


def test_who_waits_has_no_slot_when_a_limit_is_taken_away_and_set_again(apps: list[Perdure]) -> None:
    """Sooner than its worker looks: the child that it waits for begins."""
    with apps[0].running():
        handle = SINGLE.submit(late_family)
        wait_until(lambda: "waits" in RUNNING)
        perdure.queues.set(SINGLE, concurrency=None)
        perdure.queues.set(SINGLE, concurrency=1)
        assert handle.result(20) == "child"


def test_a_limit_is_set_while_all_works(apps: list[Perdure], url: str) -> None:
    """From outside; it is raised, and whoever waited for it begins at once."""
    with apps[0].running(), Client(url) as client:
        client.queues.set("limits, three", concurrency=1)
        handles = [TRIPLE.submit(work, f"{number}", waits=True) for number in range(4)]
        wait_until(lambda: len(RUNNING) == 1)
        [mine] = [queue for queue in client.queues.list() if queue.name == "limits, three"]
        assert mine.limits is not None
        assert (mine.limits.concurrency, mine.held) == (1, 1)
        perdure.queues.set(TRIPLE, concurrency=2)
        wait_until(lambda: len(RUNNING) == 2)
        client.queues.set("limits, three", concurrency=None)
        wait_until(lambda: len(RUNNING) == 4)
        MAY_END.set()
        assert [handle.result(20) for handle in handles] == ["0", "1", "2", "3"]


def test_a_queue_without_limits_gets_one_while_its_runs_wait(apps: list[Perdure]) -> None:
    """Runs that wait just then do not count for it, so their children begin."""

    with apps[0].running():
        handle = FREE.submit(free_parent, 3)
        wait_until(lambda: len(RUNNING) >= 1)
        perdure.queues.set(FREE, concurrency=1)
        MAY_END.set()
        assert handle.result(30) == 3


@perdure.workflow(name="limits:free-parent")
def free_parent(children: int) -> int:
    """Children in its own queue, of which the first waits."""
    return sum(FREE.submit(free_child, number == 0).result() for number in range(children))


@perdure.step(name="limits:free-child")
def free_child(waits: bool) -> int:
    """One."""
    work("child", waits=waits)
    return 1


def test_a_paused_queue_begins_nothing_until_it_is_resumed(apps: list[Perdure]) -> None:
    """Not even what is submitted in a process that has a free slot; and it is shown."""
    with apps[0].running():
        perdure.queues.pause(FREE)
        wait_until(lambda: all(app._launched().room.is_shared(FREE.name) for app in apps))
        handle = FREE.submit(work, "a")
        handles = [SINGLE.submit(work, "b")]
        assert handles[0].result(20) == "b"
        assert not handle.done()
        [shown] = [queue for queue in perdure.queues.list() if queue.name == FREE.name]
        assert shown.limits is not None
        assert shown.limits.paused_at is not None
        perdure.queues.resume(FREE)
        assert handle.result(20) == "a"


def test_the_same_program_launched_again_takes_nothing_back(url: str) -> None:
    """What was set stays."""
    with perdure.running(url):
        perdure.queues.set(TRIPLE, concurrency=7)
    with perdure.running(url):
        limits = {queue.name: queue.limits for queue in perdure.queues.list()}
    shown = {name: found.concurrency for name, found in limits.items() if found and name.startswith("limits, ")}
    assert shown == {"limits, one": 1, "limits, three": 7}


def test_a_worker_takes_the_number_that_was_set(apps: list[Perdure]) -> None:
    """In the place of what the program declares, and that again when it is taken back."""
    with apps[0].running():
        slots = [app._launched().room.slots[FREE.name] for app in apps]
        own = FREE.worker_concurrency
        perdure.queues.set(FREE, worker_concurrency=own + 1)
        wait_until(lambda: [one.limit for one in slots] == [own + 1] * 2)
        perdure.queues.set(FREE, worker_concurrency=None)
        wait_until(lambda: [one.limit for one in slots] == [own] * 2)


def test_limits_that_cannot_be_are_refused_where_they_are_given(url: str) -> None:
    """With what is wrong and what to give; nothing is set."""
    for limits in ({"concurrency": 0}, {"rate": 5}, {"rate": (5, 0)}, {"key_rate": (0, 1)}, {"on_overflow": "drop"}):
        with pytest.raises(perdure.UsageError, match="give"):
            perdure.Queue("limits, impossible", **limits)  # type: ignore[arg-type]
        with perdure.running(url), pytest.raises(perdure.UsageError, match="give"):
            perdure.queues.set(TRIPLE, **limits)  # type: ignore[arg-type]
    with pytest.raises(perdure.UsageError, match="give concurrency"):
        perdure.Queue("limits, impossible", on_overflow="cancel_newest")
    with pytest.raises(perdure.UsageError, match="no limit speed"):
        perdure.Queue("limits, impossible", speed=3)  # type: ignore[call-arg]
    with pytest.raises(perdure.UsageError, match="make it once"):
        perdure.Queue("limits, three", concurrency=4)
    with perdure.running(url):
        with pytest.raises(perdure.UsageError, match="changes nothing"):
            perdure.queues.set(TRIPLE)
        with pytest.raises(perdure.UsageError, match="nobody works on"):
            perdure.queues.set("limits, thre", concurrency=1)
        with pytest.raises(perdure.UsageError, match="nobody works on"):
            perdure.queues.pause("limits, thre")
