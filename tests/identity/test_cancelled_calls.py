"""A call that the run's own code cancelled is recorded so, and stays open on replay until it is cancelled again."""

from __future__ import annotations

import asyncio
import gc
import signal
import sqlite3
import weakref
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure.stores.open import open_store
from tests.identity.killing import deliveries
from tests.identity.staging import RUN_ID, begin, launched, look, recorded_names, wait_until
from tests.identity.two_lives import BODIES, REACHED, endless, held, hold, let_go, quick
from tests.identity.two_lives import begin_anew as begin_anew  # a fixture


@perdure.step
async def fail() -> None:
    BODIES["fail"] += 1
    raise ValueError("failed")


@perdure.workflow
async def late() -> str:
    await asyncio.Event().wait()
    return "never"


async def reached(holds: Callable[[], bool]) -> None:
    """Wait for what a body of another thread or life has noted."""
    while not holds():  # noqa: ASYNC110  # an event of the loop would not outlive it
        await asyncio.sleep(0.001)


async def by_timeout() -> str:
    try:
        async with asyncio.timeout(0.05):
            await endless("e")
    except TimeoutError:
        return await quick("timeout")
    return "never"


async def by_wait_for() -> str:
    try:
        await asyncio.wait_for(endless("e"), 0.05)
    except TimeoutError:
        return await quick("wait_for")
    return "never"


async def by_hand() -> str:
    task = asyncio.create_task(endless("e"))
    await quick("meanwhile")
    await reached(lambda: BODIES["e"] > 0)
    await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return await quick("by hand")


async def by_abort() -> str:
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(endless(f"e{number}"))
            await asyncio.sleep(0.02)
            group.create_task(fail())
    except* ValueError:
        pass
    return await quick("aborted")


async def twice() -> str:
    """Cancelled again while the first cancellation waits for its turn."""
    seen: list[str] = []

    async def one() -> None:
        try:
            await endless("e")
        finally:
            seen.append("cancelled")

    tasks = [asyncio.create_task(one()), asyncio.create_task(other(seen))]
    await reached(lambda: BODIES["e"] > 0)
    await asyncio.sleep(0.01)
    for _ in range(5):
        tasks[0].cancel()
        await asyncio.sleep(0)
    await asyncio.wait(tasks)
    return await quick(",".join(sorted(seen)))


async def other(seen: list[str]) -> None:
    for number in range(20):
        await quick(f"other {number}")
    seen.append("other")


async def of_a_child() -> str:
    handle = await perdure.astart(late)
    try:
        async with asyncio.timeout(0.05):
            await handle
    except TimeoutError:
        return await quick("child")
    return "never"


async def of_a_sleep() -> str:
    try:
        async with asyncio.timeout(0.05):
            await asyncio.gather(perdure.sleep(5), endless("e"))
    except TimeoutError:
        return await quick("sleep")
    return "never"


PROGRAMS: dict[str, Callable[[], Any]] = {
    program.__name__: program for program in (by_timeout, by_wait_for, by_hand, by_abort, twice, of_a_child, of_a_sleep)
}
RESULTS = {
    "by_timeout": "timeout",
    "by_wait_for": "wait_for",
    "by_hand": "by hand",
    "by_abort": "aborted",
    "twice": "cancelled,other",
    "of_a_child": "child",
    "of_a_sleep": "sleep",
}


@perdure.workflow
async def cancelling(program: str) -> str:
    result: str = await PROGRAMS[program]()
    await hold()
    return result


@pytest.mark.parametrize("program", list(PROGRAMS))
def test_a_cancelled_call_is_cancelled_again_on_replay(program: str, tmp_path: Path) -> None:
    """The replay runs none of its bodies again, waits for the same cancellation and comes to the same result."""
    url = str(tmp_path / "p.db")
    with launched(url, replay_patience_seconds=10.0):
        begin(cancelling, program)
        assert REACHED.wait(20)
    ran, names = Counter(BODIES), recorded_names(url)
    assert set(ran.values()) == {1}
    assert any(key.startswith("!") for key in deliveries(url).values())
    let_go()
    with launched(url, replay_patience_seconds=10.0):
        result = perdure.handle(RUN_ID).result(20)
        if program == "of_a_child":
            assert all(perdure.handle(child).cancel() for child in children(url))
    assert ran == BODIES
    assert result == RESULTS[program]
    assert names.items() <= recorded_names(url).items()


def children(url: str) -> list[str]:
    """The ids of the run's children."""
    store = open_store(url)
    try:
        return [child.run_id for child in store.runs.histories([RUN_ID])[0].children]
    finally:
        store.close()


@perdure.workflow
async def cleaning() -> str:
    try:
        await quick("before")
        REACHED.set()
        await held()
    except asyncio.CancelledError:
        with suppress(BaseException):
            await quick("clean up")
        with suppress(BaseException):
            sync_clean_up()
        with suppress(BaseException):
            perdure.now()
        with suppress(BaseException):
            perdure.start(late)
        raise
    return await quick("after")


@perdure.step
def sync_clean_up() -> None:
    BODIES["sync clean up"] += 1


@perdure.workflow
async def in_branches() -> list[str]:
    return await asyncio.gather(cleaning_branch("a"), cleaning_branch("b"))


async def cleaning_branch(name: str) -> str:
    try:
        await quick(name)
        await hold()
    except asyncio.CancelledError:
        await quick("clean up")
        raise
    return name


@pytest.mark.parametrize(("program", "result"), [(cleaning, "after"), (in_branches, ["a", "b"])])
def test_the_end_of_the_loop_is_no_cancellation(program: Callable[..., Any], result: Any, tmp_path: Path) -> None:
    """The run is let go of: what its code does when the loop cancels its tasks is not recorded; it goes on later."""
    url = str(tmp_path / "p.db")

    async def begin_and_leave() -> None:
        app = perdure.Perdure(url, poll_seconds=0.05)
        running = app.running()
        await running.__aenter__()
        await perdure.with_options(id=RUN_ID).astart(program)
        await reached(REACHED.is_set)
        await asyncio.sleep(0.02)
        left.append(running)

    left: list[Any] = []
    asyncio.run(begin_and_leave())  # ends, and with it the loop, while the run is under way
    wait_until(lambda: look(url).state == "ready" or RUN_ID in left[0]._app._runtime.held.active)
    left[0].__exit__(None, None, None)
    assert not left[0]._app.is_launched
    assert "clean up" not in BODIES
    assert "sync clean up" not in BODIES
    assert not any(key.startswith("!") for key in deliveries(url).values())
    ran = dict(BODIES)
    let_go()
    with launched(url):
        assert perdure.handle(RUN_ID).result(20) == result
    assert {name: BODIES[name] for name in ran} == ran


def test_a_task_that_is_destroyed_with_its_loop_does_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A body that did not end in time is collected in whatever context: no error comes of it, nothing is recorded."""
    url = str(tmp_path / "p.db")

    def live() -> weakref.ref[Any]:
        with launched(url) as app:
            begin(cancelling, "by_timeout")
            assert REACHED.wait(20)
            return weakref.ref(app._launched().held.active[RUN_ID].state.root)

    task = live()
    wait_until(lambda: gc.collect() >= 0 and task() is None)
    assert "could not be executed" not in caplog.text
    assert look(url).state == "ready"


def test_ctrl_c_releases_a_run(tmp_path: Path) -> None:
    """The program ends, the run does not."""
    url = str(tmp_path / "p.db")

    async def interrupted() -> None:
        async with perdure.running(url, poll_seconds=0.05, shutdown_seconds=0.3):
            waiting = asyncio.ensure_future(cleaning())
            await reached(REACHED.is_set)
            signal.raise_signal(signal.SIGINT)
            await waiting

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(interrupted())
    assert "clean up" not in BODIES
    run_id = only_run(url)
    assert look(url, run_id).state == "ready"
    let_go()
    with launched(url):
        assert perdure.handle(run_id).result(20) == "after"
    assert BODIES["before"] == 1


def only_run(url: str) -> str:
    """The id of the only run that there is."""
    with closing(sqlite3.connect(url)) as connection:
        ((run_id,),) = connection.execute("SELECT id FROM runs")
    return str(run_id)


def test_a_cancelled_call_that_nobody_cancels_again_keeps_the_run_open(tmp_path: Path) -> None:
    """It has no other outcome to give."""
    url = str(tmp_path / "p.db")
    with launched(url):
        begin(cancelling, "by_timeout")
        assert REACHED.wait(20)
    let_go()
    original, PROGRAMS["by_timeout"] = PROGRAMS["by_timeout"], lambda: endless("e")
    try:
        with launched(url) as app:
            wait_until(lambda: any(run.order.open_keys for run in app._launched().held.active.values()))
            assert look(url).state == "held"
    finally:
        PROGRAMS["by_timeout"] = original
    with launched(url):
        assert perdure.handle(RUN_ID).result(20) == "timeout"
    assert BODIES["e"] == 1
