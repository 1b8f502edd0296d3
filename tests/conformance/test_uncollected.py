"""A failure that nobody asks for is logged once, with its traceback; one that somebody asks for is not."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import queue
from collections.abc import Callable, Iterator

import pytest

import perdure
from perdure import start, step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import PATIENCE_SECONDS, await_signal, replay, signals

running = functools.partial(perdure.running, **{**SETTINGS, "poll_seconds": 0.05})


class LostError(Exception):
    """What the runs of these tests fail with."""


@step(name="uncollected:fail")
def fail(name: str) -> None:
    """It fails when the test says so."""
    signals[f"{name} began"].set()
    await_signal(name)
    raise LostError(name)


@workflow(name="uncollected:fails")
def fails(name: str) -> None:
    """A call of it."""
    fail(name)


@workflow(name="uncollected:forgets")
def forgets(name: str) -> str:
    """It starts one and never asks for it."""
    start(fails, name)
    await_signal("forgotten")
    return "ended"


@workflow(name="uncollected:asks")
def asks(name: str) -> str:
    """It starts one and asks, after it has left memory with no handle."""
    handle = start(fails, name)
    replay()
    try:
        handle.result()
    except LostError:
        return "asked"
    return ""


Next = Callable[[], logging.LogRecord]


@pytest.fixture
def complaints() -> Iterator[queue.SimpleQueue[logging.LogRecord]]:
    """The errors that are logged."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.Handler(logging.ERROR)
    listener.emit = records.put  # type: ignore[method-assign]
    logging.getLogger("perdure").addHandler(listener)
    yield records
    logging.getLogger("perdure").removeHandler(listener)


Complaints = queue.SimpleQueue[logging.LogRecord]


def expect(complaints: Complaints, name: str) -> None:
    """One complaint, with the run's function and the error's traceback."""
    record = complaints.get(timeout=PATIENCE_SECONDS)
    text = logging.Formatter().format(record)
    assert "has failed, and nobody has asked for its outcome" in text
    assert f"LostError: {name}" in text
    assert "raise LostError(name)" in text
    assert complaints.empty()


def test_a_run_without_a_handle_is_complained_of_when_it_fails(url: str, complaints: Complaints) -> None:
    """Fire and forget."""
    with running(url):
        start(fails, "a")
        gc.collect()
        signals["a"].set()
        expect(complaints, "a")


def test_a_run_with_a_handle_is_complained_of_when_that_is_gone(url: str, complaints: Complaints) -> None:
    """Until then somebody may ask."""
    with running(url) as app:
        handle = start(fails, "a")
        signals["a"].set()
        until_failed(app, handle.run_id)
        assert complaints.empty()
        del handle
        gc.collect()
        expect(complaints, "a")


def test_what_is_asked_for_is_not_complained_of(url: str, complaints: Complaints) -> None:
    """Before the end or after it, on a thread or a loop, called or started."""
    with running(url) as app:
        signals["a"].set()
        for ask in (
            lambda: start(fails, "a").result(PATIENCE_SECONDS),
            lambda: late(app),
            lambda: asyncio.run(start(fails, "a").wait()),
            lambda: fails("a"),
        ):
            with pytest.raises(LostError):
                ask()
        assert asks("a") == "asked"
        gc.collect()
    assert complaints.empty()


def late(app: perdure.Perdure) -> object:
    """The result of a run that has ended before."""
    handle = start(fails, "a")
    until_failed(app, handle.run_id)
    return handle.result(PATIENCE_SECONDS)


def until_failed(app: perdure.Perdure, run_id: str) -> None:
    """Another run's end is committed after this one's."""
    from tests.conformance.ledger import state_of, until

    until(lambda: state_of(app, run_id) == "failed")


@pytest.mark.parametrize("order", ["child first", "parent first"])
def test_a_child_that_its_parent_forgets_is_complained_of(url: str, complaints: Complaints, order: str) -> None:
    """Once its parent has ended without asking, whichever of them ended first."""
    with running(url):
        parent = start(forgets, "c")
        await_signal("c began")
        for name in ("c", "forgotten") if order == "child first" else ("forgotten", "c"):
            signals[name].set()
            if name == "forgotten":
                assert parent.result(PATIENCE_SECONDS) == "ended"
        expect(complaints, "c")


def test_what_is_left_at_the_shutdown_is_complained_of(url: str, complaints: Complaints) -> None:
    """Nobody can ask here any more."""
    with running(url) as app:
        handle = start(fails, "a")
        signals["a"].set()
        until_failed(app, handle.run_id)
    expect(complaints, "a")


@step(name="uncollected:fails at once")
def fails_at_once(number: int) -> None:
    """Before whoever started it has its handle, perhaps."""
    raise LostError(str(number))


many = perdure.Queue("uncollected, many", worker_concurrency=8)


def test_a_run_that_fails_before_its_starter_has_the_handle_is_not_lost(url: str, complaints: Complaints) -> None:
    """Of many that are submitted together the first have ended when the last are made."""
    with running(url):
        handles = many.submit_many(fails_at_once, [(number,) for number in range(3_000)])
        assert all(isinstance(handle.exception(PATIENCE_SECONDS), LostError) for handle in handles)
    assert complaints.empty()
