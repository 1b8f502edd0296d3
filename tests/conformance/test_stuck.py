"""A run that cannot go on before something is mended: who waits for it outside is told, who waits in a run waits on."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

import pytest

import perdure
from perdure import Handle, RunStuckError, step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import PATIENCE_SECONDS, replay, until

running = functools.partial(perdure.running, **{**SETTINGS, "poll_seconds": 0.05})

asks_for: list[str] = []


@step(name="stuck:echo")
def echo(text: str) -> str:
    """Something to record."""
    return text


@workflow(name="stuck:changing")
def changing() -> str:
    """It asks for whatever the test says, so that a replay differs where that has changed."""
    seen = echo(asks_for[0])
    if len(asks_for) > 1:
        asks_for.pop(0)
    replay()
    return seen


@workflow(name="stuck:parent")
def parent() -> str:
    """It waits for such a run."""
    return perdure.with_options(id="child").start(changing).result()


def by_result(handle: Handle[Any]) -> object:
    """It raises."""
    return handle.result(PATIENCE_SECONDS)


def by_exception(handle: Handle[Any]) -> object:
    """It returns the error."""
    error = handle.exception(PATIENCE_SECONDS)
    assert error is not None
    raise error


def by_await(handle: Handle[Any]) -> object:
    """On a loop."""
    return asyncio.run(handle.wait())


def by_callback(handle: Handle[Any]) -> object:
    """With the future."""
    called: Future[Any] = Future()
    handle.add_done_callback(called.set_result)
    return called.result(PATIENCE_SECONDS).result(0)


def by_wait(handle: Handle[Any]) -> object:
    """With the module's function."""
    assert wait([handle], PATIENCE_SECONDS).done == {handle}
    return handle.result(0)


@pytest.fixture(autouse=True)
def _differs() -> None:
    asks_for[:] = ["old", "new"]


@pytest.mark.parametrize("ask", [by_result, by_exception, by_await, by_callback, by_wait])
def test_who_waits_outside_for_a_run_that_needs_a_mend_is_told(url: str, ask: Callable[[Handle[Any]], object]) -> None:
    """With the reason; asked again once it is mended, the same handle gives its value."""
    with running(url):
        handle = perdure.with_options(id="r").start(changing)
        with pytest.raises(RunStuckError, match="does not match its history") as raised:
            ask(handle)
        assert raised.value.run_id == "r"
        assert raised.value.reason == handle.reason
        assert handle.status() == "parked"
        with pytest.raises(RunStuckError):
            handle.result(PATIENCE_SECONDS)
        asks_for[:] = ["old"]
        mend("stuck:changing")
        until(lambda: handle.status() != "parked" or handle.reason is None)
        assert handle.result(PATIENCE_SECONDS) == "old"


def test_a_run_that_needed_a_mend_before_says_so_at_once(url: str) -> None:
    """Also in a process that has never executed it, and does not know its code."""
    with running(url):
        with pytest.raises(RunStuckError):
            perdure.with_options(id="r").start(changing).result(PATIENCE_SECONDS)
        asks_for[:] = ["new"]
    with running(url), pytest.raises(RunStuckError, match="does not match its history"):
        perdure.handle("r").result(PATIENCE_SECONDS)


def test_a_direct_call_that_needs_a_mend_raises(url: str) -> None:
    """The caller is outside, too."""
    with running(url), pytest.raises(RunStuckError):
        changing()


def test_a_parent_waits_durably_for_a_run_that_needs_a_mend(url: str) -> None:
    """It is not told: after the mend it goes on as if nothing had been."""
    with running(url):
        handle = perdure.with_options(id="p").start(parent)
        until(lambda: is_stuck("child"))
        assert handle.status() in ("parked", "held")
        asks_for[:] = ["old"]
        mend("stuck:changing")
        assert handle.result(PATIENCE_SECONDS) == "old"


def is_stuck(run_id: str) -> bool:
    """Whether the run is parked for people."""
    row = perdure._api.app.current_runtime().store.runs.row(run_id)
    return row is not None and row.needs_mend


def mend(name: str) -> None:
    """What a start of a process with mended code does."""
    runtime = perdure._api.app.current_runtime()
    runtime.store.mending.mend([name])
    runtime.room.expect_backlog()


@step(name="stuck:gives_up", retries=perdure.Retry(attempts=1, then="pause"))
def gives_up() -> None:
    """It asks people at once."""
    raise OSError("broken")


def test_who_waits_is_told_without_a_poll(url: str) -> None:
    """The process in which the run is parked looks then."""
    with perdure.running(url, **{**SETTINGS, "poll_seconds": 3600.0}), pytest.raises(RunStuckError):
        perdure.start(gives_up).result(PATIENCE_SECONDS)


def test_a_handle_tells_the_state_of_its_run(url: str) -> None:
    """From outside and from inside a run, sync and async."""
    with running(url):
        later = perdure.with_options(id="later", delay=3600).start(echo, "a")
        assert (later.status(), later.reason) == ("ready", None)
        done = perdure.start(echo, "a")
        assert done.result(PATIENCE_SECONDS) == "a"
        assert done.status() == asyncio.run(done.astatus()) == "succeeded"
        assert asks_about("later") == "ready"
        assert asyncio.run(aasks_about("later")) == "ready"


@workflow(name="stuck:asks")
def asks_about(run_id: str) -> str:
    """What it is told is recorded."""
    seen = perdure.handle(run_id).status()
    replay()
    return seen


@workflow(name="stuck:aasks")
async def aasks_about(run_id: str) -> str:
    """The same, async."""
    return await perdure.handle(run_id).astatus()
