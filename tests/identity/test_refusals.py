"""A durable call whose place in the run is not defined raises before any effect, instead of running unrecorded."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure.errors import LineageError
from tests.identity.staging import PATIENCE_SECONDS, begin, launched, recorded_names

BODIES: list[str] = []


@perdure.step
async def work(tag: str) -> str:
    BODIES.append(tag)
    return tag


@perdure.step
def sync_work(tag: str) -> str:
    BODIES.append(tag)
    return tag


@perdure.workflow
async def child() -> str:
    return "child"


@pytest.fixture(autouse=True)
def begin_anew() -> None:
    """No bodies yet."""
    BODIES.clear()


async def in_callback(call: Callable[[], Any]) -> Any:
    """What a call raises in a callback of the loop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def callback() -> None:
        try:
            call()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result("no error")

    loop.call_soon(callback)
    return await future


async def in_another_loop(call: Callable[[], Any]) -> Any:
    """The same in a task of a loop in another thread, which inherited the context."""

    async def main() -> Any:
        return call()

    return await asyncio.to_thread(asyncio.run, main())


CALLS: dict[str, Callable[[], Any]] = {
    "a step": lambda: work("foreign"),
    "a sync step": lambda: sync_work("foreign"),
    "a child": lambda: child(),
    "a start": lambda: perdure.start(child),
    "a value": perdure.now,
    "a sleep": lambda: perdure.sleep(0.001),
}
PLACES: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "a callback": in_callback,
    "a thread of asyncio": asyncio.to_thread,
    "a task of another loop": in_another_loop,
}


@perdure.workflow
async def calling(call: str, place: str) -> str:
    await work("first")
    try:
        await PLACES[place](CALLS[call])
    except LineageError as error:
        return "refused" if "the run's" in str(error) else str(error)
    return "not refused"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("place", PLACES)
def test_a_call_with_an_inherited_context_is_refused(call: str, place: str, tmp_path: Path) -> None:
    """In a callback, a foreign thread, another loop."""
    url = str(tmp_path / "p.db")
    with launched(url):
        assert begin(calling, call, place).result(PATIENCE_SECONDS) == "refused"
    assert BODIES == ["first"]
    assert recorded_names(url) == {"0": "work"}


@perdure.workflow
def calling_from_thread() -> str:
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(context.run, sync_work, "foreign").result()
        except LineageError as error:
            return sync_work("refused" if "perdure.threads()" in str(error) else str(error))
    return "not refused"


def test_a_foreign_thread_of_a_sync_run_is_refused(tmp_path: Path) -> None:
    """With the name of what to use instead."""
    with launched(str(tmp_path / "p.db")):
        assert begin(calling_from_thread).result(PATIENCE_SECONDS) == "refused"
    assert BODIES == ["refused"]


@perdure.workflow
def calling_from_callback() -> list[str]:
    told: list[str] = []

    def call(branch: Future[str]) -> None:
        try:
            told.append(sync_work("foreign"))
        except LineageError as error:
            told.append("refused" if "callback" in str(error) else str(error))

    with perdure.threads() as pool:
        pool.submit(sync_work, "branch").add_done_callback(call)
    return told


def test_a_callback_of_a_branch_is_refused(tmp_path: Path) -> None:
    """It comes in the branch's thread, when the branch has ended: it ran unrecorded."""
    with launched(str(tmp_path / "p.db")):
        assert begin(calling_from_callback).result(PATIENCE_SECONDS) == ["refused"]
    assert BODIES == ["branch"]


@perdure.workflow
async def calling_from_executor() -> str:
    return await asyncio.get_running_loop().run_in_executor(None, sync_work, "unrecorded")


def test_a_thread_without_context_warns_or_is_refused(tmp_path: Path) -> None:
    """It may have lost its run: said once, and an error with `strict`."""
    with launched(str(tmp_path / "warns.db")), pytest.warns(RuntimeWarning, match="unrecorded"):
        assert begin(calling_from_executor).result(PATIENCE_SECONDS) == "unrecorded"
    BODIES.clear()
    with launched(str(tmp_path / "strict.db"), strict=True), pytest.raises(LineageError):
        begin(calling_from_executor).result(PATIENCE_SECONDS)
    assert not BODIES


@perdure.workflow
async def completing(makes_tasks: bool) -> list[str]:
    made: list[Any] = [work("a"), work("b")]
    if makes_tasks:
        made = [asyncio.create_task(one) for one in made]
    try:
        return sorted([await one for one in asyncio.as_completed(made)])
    except LineageError as error:
        for one in made:
            one.close()
        return ["refused"] if "create_task" in str(error) else [str(error)]


def test_as_completed_wants_tasks(tmp_path: Path) -> None:
    """On bare coroutines it makes tasks of a set, in another order each time."""
    with launched(str(tmp_path / "bare.db")):
        assert begin(completing, False).result(PATIENCE_SECONDS) == ["refused"]
    assert not BODIES
    with launched(str(tmp_path / "tasks.db")):
        assert begin(completing, True).result(PATIENCE_SECONDS) == ["a", "b"]


@perdure.workflow
async def with_a_sync_run_inside() -> str:
    return sync_child()


@perdure.workflow
def sync_child() -> str:
    return "child"


@perdure.workflow
def with_an_async_step() -> Any:
    return asyncio.run(work("inside"))  # type: ignore[arg-type]


def test_worlds_do_not_mix_without_a_word(tmp_path: Path) -> None:
    """A sync workflow would block the async one's loop; an async step has no loop in a sync one."""
    with launched(str(tmp_path / "sync.db")), pytest.raises(perdure.UsageError, match="block"):
        begin(with_a_sync_run_inside).result(PATIENCE_SECONDS)
    with launched(str(tmp_path / "async.db")), pytest.raises(perdure.UsageError, match="async"):
        begin(with_an_async_step).result(PATIENCE_SECONDS)
    assert not BODIES


def test_a_pool_outside_a_workflow_is_an_ordinary_one() -> None:
    """So the same helper can be used in both."""
    with perdure.threads(2) as pool:
        names = list(pool.map(lambda _: threading.current_thread().name, range(3)))
    assert all(name.startswith("perdure-branch") for name in names)
