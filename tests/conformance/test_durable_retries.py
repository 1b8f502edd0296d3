"""Retries in several lives of a run: how often was it tried, and how long is the pause?"""

from __future__ import annotations

import asyncio
import functools
import logging

import pytest

import perdure
from perdure import Retry, start, step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import await_signal, ran, signals, state_of, until

running = functools.partial(perdure.running, **SETTINGS)

SHORT = Retry(attempts=4, initial_seconds=0.2, factor=1, jitter=False)
AN_HOUR = Retry(attempts=2, initial_seconds=3600, max_seconds=3600, jitter=False)


def fail(name: str) -> None:
    """An attempt that fails, and a signal with its number."""
    ran.append(name)
    signals[f"{name} {len(ran)}"].set()
    raise ConnectionError(f"attempt {len(ran)}")


@step(retries=SHORT)
def fails(name: str) -> None:
    """It never succeeds."""
    fail(name)


@step(retries=SHORT)
async def afails(name: str) -> None:
    """The same, async."""
    fail(name)


@workflow
def tries(name: str) -> str:
    """What a call of it ended with."""
    try:
        fails(name)
    except ConnectionError as error:
        return str(error)
    return ""


@workflow
async def atries(name: str) -> str:
    """The same in an async run, beside another branch."""
    try:
        await asyncio.gather(afails(name), perdure.sleep(0))
    except ConnectionError as error:
        return str(error)
    return ""


def marks_of(app: perdure.Perdure) -> str:
    """The keys of what the run has recorded."""
    assert app._runtime is not None
    return " ".join(checkpoint.key for checkpoint in app._runtime.store.runs.checkpoints("r"))


@pytest.mark.parametrize("kind", [tries, atries, fails, afails])
def test_attempts_count_in_all_lives_of_a_run(url: str, kind: object) -> None:
    """Two failed, the process ends in the pause: two are left to the next one, in a workflow and as a run alone."""
    with running(url) as app:
        perdure.with_options(id="r").start(kind, "try")  # type: ignore[arg-type]
        until(lambda: "?2" in marks_of(app))
        app.shutdown(0)
    with running(url):
        error = perdure.handle("r").exception(20)
        assert str(error if error is not None else perdure.handle("r").result(20)) == "attempt 4"
    assert len(ran) == 4


@step(retries=AN_HOUR)
def hourly(name: str) -> None:
    """It is tried again after an hour."""
    fail(name)


@step(retries=AN_HOUR)
async def ahourly(name: str) -> None:
    """The same, async."""
    fail(name)


@workflow
async def ahourly_twice() -> None:
    """Two branches that both pause."""
    await asyncio.gather(ahourly("a"), ahourly("b"), return_exceptions=True)


@pytest.mark.parametrize("kind", [hourly, ahourly])
def test_a_long_pause_is_a_row(url: str, kind: object) -> None:
    """The run leaves memory in it, and its next life goes on with what is left of it."""
    with running(url) as app:
        perdure.with_options(id="r").start(kind, "try")  # type: ignore[arg-type]
        until(lambda: state_of(app, "r") == "parked")
        assert app._runtime is not None
        row = app._runtime.store.runs.row("r")
        assert row is not None
        assert row.due_at is not None
        assert 3500 < row.due_at - row.created_at < 3700
    with running(url) as app:
        assert state_of(app, "r") == "parked"
    assert ran == ["try"]


def test_branches_that_all_pause_leave_memory_together(url: str) -> None:
    """As branches that sleep."""
    with running(url) as app:
        perdure.with_options(id="r").start(ahourly_twice)
        until(lambda: state_of(app, "r") == "parked")
    assert sorted(ran) == ["a", "b"]


@step(retries=Retry(attempts=3, initial_seconds=0))
def third_time() -> int:
    """It succeeds in the end, without a pause."""
    ran.append("at once")
    if len(ran) < 3:
        raise ConnectionError
    return len(ran)


@workflow
def quick() -> int:
    """One call."""
    return third_time()


def test_attempts_without_a_pause_record_nothing_of_their_own(url: str) -> None:
    """They are over before a commit would be."""
    with running(url) as app:
        handle = start(quick)
        assert handle.result(20) == 3
        assert app._runtime is not None
        (checkpoint,) = app._runtime.store.runs.checkpoints(handle.run_id)
    assert (checkpoint.key, checkpoint.attempts) == ("0", 3)


def test_a_retry_is_a_warning_that_says_what_failed(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The run, the step, the error, and when it goes on."""
    with running(url), caplog.at_level(logging.WARNING, "perdure"):
        assert start(quick).result(20) == 3
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2
    assert "attempt 1 of 3 of step" in said[0]
    assert "ConnectionError" in said[0]


def test_a_pause_gives_the_slot_back(url: str) -> None:
    """A queue that goes one at a time is not held up by what waits for an hour."""
    queue = perdure.Queue("durable retries", worker_concurrency=1)
    with running(url, park_after_seconds=60.0):
        queue.submit(hourly, "try")
        await_signal("try 1")
        assert queue.submit(quick).result(20) >= 2
