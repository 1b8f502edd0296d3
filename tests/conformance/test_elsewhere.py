"""Durable calls where there is no asyncio, or not the run's own thread: they say what to do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import perdure
from perdure import LineageError, Queue, UsageError, start, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, await_signal, ran, signals

pytestmark = pytest.mark.usefixtures("sqlite_app")


@step
def note(name: str) -> str:
    """It leaves a line."""
    ran.append(name)
    return name


@step
async def anote(name: str) -> str:
    """The same, async."""
    return note(name)


@workflow
async def anotes(name: str) -> str:
    """A call of it."""
    return await anote(name)


async def await_handle() -> object:
    """A handle, of a run that has not ended."""
    return await Queue("elsewhere").with_options(delay=3600).submit(anotes, "a")


AWAITED: dict[str, Callable[[], Awaitable[object]]] = {
    "workflow": lambda: anotes("a"),
    "handle": await_handle,
    "astart": lambda: perdure.astart(anotes, "a"),
    "asubmit": lambda: Queue("elsewhere").asubmit(anotes, "a"),
}


def run_without_loop(awaitable: Awaitable[object]) -> object:
    """As another library's loop does: to the first suspension."""
    coroutine: Any = awaitable
    assert isinstance(coroutine, Coroutine)
    try:
        coroutine.send(None)
    finally:
        coroutine.close()
    raise AssertionError("it was suspended")


@pytest.fixture(params=["trio", "curio"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another library, as it shows itself to who asks whether its loop runs."""
    running = SimpleNamespace(in_trio_task=lambda: True, curio_running=lambda: True)
    name = {"trio": "trio.lowlevel", "curio": "curio.meta"}[request.param]
    module = ModuleType(name)
    vars(module).update(vars(running))
    monkeypatch.setitem(sys.modules, name, module)
    found: str = request.param
    return found


@pytest.mark.parametrize("way", AWAITED)
def test_under_another_library_it_says_what_is_wrong(library: str, way: str) -> None:
    """Its name, and what works there: sync code in one of its threads."""
    with pytest.raises(UsageError, match=f"runs under {library}.*need asyncio.*thread"):
        run_without_loop(AWAITED[way]())


@pytest.mark.usefixtures("library")
def test_sleep_does_not_stop_another_librarys_loop() -> None:
    """It would, without a word."""
    with pytest.raises(UsageError, match="need asyncio"):
        perdure.sleep(0.01)


@pytest.mark.parametrize("way", AWAITED)
def test_without_any_loop_it_says_what_is_missing(way: str) -> None:
    """Somebody drives a coroutine by hand."""
    with pytest.raises(UsageError, match=r"asyncio\.run"):
        run_without_loop(AWAITED[way]())


@workflow
async def calls_in_thread(way: str) -> str:
    """A step in a thread that has the run's context."""
    if way == "to_thread":
        return await asyncio.to_thread(note, "in a thread")
    return await perdure.start(note, "in a run of its own")


def test_a_step_in_to_thread_says_what_to_do() -> None:
    """And what it says works."""
    with pytest.raises(LineageError, match=r"asyncio\.to_thread.*await perdure\.start"):
        asyncio.run(calls_in_thread("to_thread"))
    assert ran == []
    assert asyncio.run(calls_in_thread("start")) == "in a run of its own"


@workflow
async def calls_in_callback() -> list[str]:
    """A step in a callback that has the run's context."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    errors: list[str] = []

    def callback() -> None:
        try:
            note("in a callback")
        except LineageError as error:
            errors.append(str(error))
        told.set()

    loop.call_soon(callback)
    await told.wait()
    return errors


def test_a_step_in_a_callback_never_runs_unrecorded() -> None:
    """Whatever `strict` says."""
    (error,) = asyncio.run(calls_in_callback())
    assert "only inherited the run's context" in error
    assert ran == []


@step
def waits(name: str) -> str:
    """It ends when it is told."""
    signals[f"{name} began"].set()
    await_signal(name)
    return note(name)


@workflow
def with_async_child(name: str) -> str:
    """It starts an async run, which must find a loop that goes on."""
    waits(name)
    return start(anotes, name).result()


def test_result_of_a_sync_job_works_inside_a_running_loop(tmp_path: Any) -> None:
    """As in a notebook, whose cells run on a loop: the job goes on in its thread, and so do async runs of it."""

    async def cells() -> list[str]:
        async with perdure.running(tmp_path / "perdure.db"):
            plain = start(waits, "cell")
            deep = start(with_async_child, "deep")
            await asyncio.to_thread(await_signal, "deep began")
            signals["cell"].set()
            signals["deep"].set()
            return [plain.result(PATIENCE_SECONDS), deep.result(PATIENCE_SECONDS)]

    assert asyncio.run(cells()) == ["cell", "deep"]


def test_result_of_an_async_job_inside_the_loop_that_executes_it_is_refused(tmp_path: Any) -> None:
    """It would wait for itself; `await handle` is what works."""

    async def cells() -> str:
        async with perdure.running(tmp_path / "perdure.db"):
            handle = start(anotes, "cell")
            with pytest.raises(UsageError, match="await handle"):
                handle.result(PATIENCE_SECONDS)
            return await handle

    assert asyncio.run(cells()) == "cell"
