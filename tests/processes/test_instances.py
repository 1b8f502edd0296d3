"""Instances: several in one process, launches that fail, blocks that overlap, and what they leave behind."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import StoreUnavailableError, UnsupportedStoreError, start
from perdure._api.app import default_app
from perdure._engine.hosting.asyncio.own_loop import OwnLoop
from perdure.stores.open import open_store
from tests.processes.children import in_child

PATIENCE_SECONDS = 20.0


@perdure.workflow(name="instances.where")
def where() -> str:
    """The database that the run is in."""
    return default_app().url


@perdure.workflow(name="instances.double")
async def double(number: int) -> int:
    """An async run."""
    return number * 2


@perdure.workflow(name="instances.slow")
async def slow() -> str:
    """It lasts until it is let go."""
    began.set()
    while not may_end.is_set():  # noqa: ASYNC110  # the loop is watched by the test, not the event
        await asyncio.sleep(0.005)
    return "done"


began, may_end = threading.Event(), threading.Event()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database's file, which nobody has made."""
    return tmp_path / "perdure.db"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Every test ends without a thread of ours at work, but for idle ones that end by themselves."""
    began.clear()
    may_end.clear()
    yield
    assert our_threads() == []


def our_threads() -> list[str]:
    """The loops that belong to a launched instance."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("perdure-") and not name.startswith("perdure-run")]


def workers(path: Path) -> list[Any]:
    """The rows of workers, and their lock files."""
    files = [*Path(f"{path}-workers").glob("*")]
    with closing(sqlite3.connect(path)) as connection:
        return [*connection.execute("SELECT id FROM workers").fetchall(), *files]


def test_an_instance_that_was_shut_down_is_forgotten(path: Path) -> None:
    """A process that enters ten thousand blocks in its life does not grow."""
    with perdure.running(path) as app:
        instance = weakref.ref(app)
    del app
    gc.collect()
    assert instance() is None


def test_an_instance_that_works_is_shut_down_at_the_end_though_nobody_refers_to_it(path: Path) -> None:
    """Its threads work on; the end of the process finds it."""
    perdure.Perdure(path).launch()
    gc.collect()
    assert "perdure-lease" in our_threads()
    perdure._api.app._shut_all_down()
    assert workers(path) == []


@pytest.mark.parametrize("number", range(4), ids=["lease", "journal", "dispatcher", "poller"])
def test_a_launch_that_gets_no_thread_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """No row, no lock file, no thread, no connection; and the next launch works."""
    started: list[str] = []
    begin = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        started.append(thread.name)
        if len(started) > number:
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    app = perdure.Perdure(path)
    with pytest.raises(RuntimeError, match="new thread"):
        app.launch()
    assert our_threads() == []
    assert workers(path) == []
    assert not app.is_launched
    monkeypatch.undo()
    with app.running():
        assert where() == app.url


def test_a_launch_on_a_database_that_is_away_leaves_nothing(path: Path) -> None:
    """A folder that is not there yet, and is when it is launched again."""
    app = perdure.Perdure(path / "perdure.db")
    with pytest.raises((StoreUnavailableError, UnsupportedStoreError)):
        app.launch()
    assert our_threads() == []
    path.mkdir()
    with app.running():
        assert where() == app.url


def test_a_launch_on_a_newer_schema_leaves_nothing(path: Path) -> None:
    """An older program beside a newer one; when that is undone, it launches."""
    store = open_store(str(path))
    store.migrate()
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO migrations SELECT 999, 'from the future', applied_at FROM migrations LIMIT 1")
    app = perdure.Perdure(path)
    with pytest.raises(UnsupportedStoreError):
        app.launch()
    assert workers(path) == []
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM migrations WHERE version = 999")
    with app.running():
        assert where() == app.url


def test_blocks_of_two_threads_may_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each calls its own instance, also after the other's end; who is in no block gets one that works."""
    monkeypatch.setattr("perdure._api.app._default", None)
    second_is_in, first_is_out = threading.Event(), threading.Event()
    seen: dict[str, str] = {}

    def second() -> None:
        with perdure.running(tmp_path / "second.db"):
            seen["second"] = where()
            second_is_in.set()
            first_is_out.wait(PATIENCE_SECONDS)
            seen["second, alone"] = where()

    other = threading.Thread(target=second)
    with perdure.running(tmp_path / "first.db"):
        other.start()
        assert second_is_in.wait(PATIENCE_SECONDS)
        seen["first"] = where()
        bystander = threading.Thread(target=lambda: seen.update(bystander=default_app().url))
        bystander.start()
        bystander.join()
    first_is_out.set()
    other.join()
    assert {name: Path(url).stem for name, url in seen.items()} == {
        "second": "second",
        "first": "first",
        "second, alone": "second",
        "bystander": "second",
    }
    assert not default_app().is_launched
    assert default_app().url == "perdure.db"


def test_an_inner_block_does_not_end_the_outer_one(path: Path) -> None:
    """An instance is shut down at the end of its last block."""
    with perdure.running(path) as app:
        with app.running():
            pass
        assert app.is_launched
        assert where() == app.url
    assert not app.is_launched


def test_two_threads_that_make_the_first_call_share_one_default_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two would be two workers, and one of them nobody's."""
    monkeypatch.setattr("perdure._api.app._default", None)
    monkeypatch.setenv("PERDURE_URL", str(tmp_path / "perdure.db"))
    together = threading.Barrier(8)
    made: list[perdure.Perdure] = []

    def call() -> None:
        together.wait(PATIENCE_SECONDS)
        made.append(default_app())

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len({id(app) for app in made}) == 1


@perdure.workflow(name="instances.rude")
async def rude(way: str) -> str:
    """It ends the loop that it runs on, the first time."""
    if not rudeness:
        rudeness.append(way)
        if way == "stops":
            asyncio.get_running_loop().stop()
        else:
            await asyncio.create_task(leave())
    return way


async def leave() -> None:
    """In a task of its own."""
    sys.exit(3)


rudeness: list[str] = []


@pytest.mark.parametrize("way", ["stops", "exits"])
def test_a_loop_of_ours_goes_on_whatever_a_run_does_to_it(path: Path, way: str) -> None:
    """The other runs on it are not its own; it is tried again."""
    rudeness.clear()
    with perdure.running(path, poll_seconds=0.05) as app:
        other = start(slow)
        began.wait(PATIENCE_SECONDS)
        assert start(rude, way).result(PATIENCE_SECONDS) == way
        assert rudeness == [way]
        loop = app._launched().execution.own_loop.get()
        loop.call_soon_threadsafe(may_end.set)
        assert other.result(PATIENCE_SECONDS) == "done"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_loop_whose_thread_is_gone_is_replaced() -> None:
    """As in a forked child, which has the loop and not its thread."""
    own = OwnLoop()
    own.get()

    def check() -> None:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), own.get()).result(PATIENCE_SECONDS)

    assert in_child(check) == 0
    own.stop()


def test_what_still_waits_on_a_loop_of_ours_hears_that_it_is_over() -> None:
    """As `asyncio.run` has it: nothing is left that Python would complain of when it ends."""
    own, heard = OwnLoop(), list[str]()
    has_begun = threading.Event()

    async def wait_for_ever() -> None:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            heard.append("over")

    waiting = asyncio.run_coroutine_threadsafe(wait_for_ever(), own.get())
    assert has_begun.wait(PATIENCE_SECONDS)
    own.stop(PATIENCE_SECONDS)
    assert heard == ["over"]
    assert waiting.cancelled()


def test_a_run_that_gets_no_thread_is_handed_back_and_tried_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many threads, for a moment: nothing is lost, nothing is counted that is not there."""
    begin = threading.Thread.start
    refused: list[str] = []

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("perdure-") and len(refused) < 2:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        begin(thread)

    with perdure.running(path, poll_seconds=0.05) as app:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        here, doubled = start(where), start(double, 3)
        assert (here.result(PATIENCE_SECONDS), doubled.result(PATIENCE_SECONDS)) == (app.url, 6)
        assert len(refused) == 2
        assert app._launched().threads.count <= 2


def test_an_instance_may_launch_and_shut_down_on_several_loops(path: Path) -> None:
    """Each `asyncio.run` has a loop of its own; the one before is closed."""
    app = perdure.Perdure(path)

    async def scenario() -> int:
        async with app.running():
            return await start(double, 4)

    assert [asyncio.run(scenario()) for _ in range(3)] == [8, 8, 8]
