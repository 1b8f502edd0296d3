"""Steps without a decorator, direct calls with an id, and what code can ask about where it stands."""

from __future__ import annotations

import asyncio
import functools
import math
import threading
from collections.abc import Callable
from typing import Any

import pytest

import perdure
from perdure import Queue, Retry, UsageError, call, current, start, step, where, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, ran, replay

AT_ONCE = Retry(attempts=3, initial_seconds=0)


def note(name: str, times: int = 1) -> str:
    """Somebody else's function."""
    ran.extend([name] * times)
    return name


async def anote(name: str) -> str:
    """The same, async."""
    await asyncio.sleep(0)
    return note(name)


class Client:
    """Somebody else's object."""

    def note(self, name: str) -> str:
        """A method."""
        return note(name)

    async def __call__(self, name: str) -> str:
        """Called as it is."""
        return await anote(name)


@workflow
def calls_functions() -> list[object]:
    """Of every kind."""
    seen: list[object] = [
        call("note", note, "function"),
        call("method", Client().note, "method"),
        call("partial", functools.partial(note, times=1), "partial"),
        call("lambda", lambda: note("lambda")),
        call("builtin", math.sqrt, 4),
        call("type", complex, 1, 2).real,
    ]
    replay()
    return seen


@workflow
async def calls_coroutines() -> list[object]:
    """The same, async."""
    seen = await asyncio.gather(
        call("note", anote, "function"),
        call("object", Client(), "object"),
        call("partial", functools.partial(anote, "partial"), timeout=PATIENCE_SECONDS),
    )
    await areplay()
    return [*seen, call("sync", note, "sync")]


@pytest.mark.usefixtures("app")
def test_a_call_is_a_step_of_any_function() -> None:
    """Its outcome is recorded: a replay runs no body."""
    names = ["function", "method", "partial", "lambda"]
    assert calls_functions() == [*names, 2.0, 1.0]
    assert ran == names
    ran.clear()
    assert asyncio.run(calls_coroutines()) == ["function", "object", "partial", "sync"]
    assert sorted(ran) == ["function", "object", "partial", "sync"]


def third_time(name: str) -> str:
    """It fails twice."""
    ran.append(name)
    if len(ran) < 3:
        raise ConnectionError(name)
    return name


async def stuck() -> None:
    """It never ends by itself."""
    await asyncio.get_running_loop().create_future()


@workflow
def retries() -> str:
    """With a policy."""
    return call("third", third_time, "third", retries=AT_ONCE)


@workflow
async def times_out() -> None:
    """With a limit."""
    await call("stuck", stuck, timeout=0.01)


@pytest.mark.usefixtures("sqlite_app")
def test_a_call_has_the_options_of_a_step() -> None:
    """Retries, a timeout, at most once."""
    assert retries() == "third"
    with pytest.raises(perdure.StepTimeoutError):
        asyncio.run(times_out())


def test_a_call_outside_any_run_is_a_plain_call() -> None:
    """As of a step."""
    assert call("note", note, "plain") == "plain"
    assert asyncio.run(call("note", anote, "plain")) == "plain"


@step
def decorated() -> None:
    """A step."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: call("", note, "a"), "give a text"),
        (lambda: call("a\0", note, "a"), "give a text"),
        (lambda: call("a", "note"), "give a function"),  # type: ignore[call-overload]
        (lambda: call("a", decorated), "durable already"),
        (lambda: call("a", note, "x", times=2), r"functools\.partial\(note, times=\.\.\.\)"),  # type: ignore[call-overload]
        (lambda: call("a", note, "x", timeout=3), "a thread cannot be stopped"),
        (lambda: call("a", note, "x", retries=1, at_most_once=True), "at most once"),
        (lambda: call("a", note, "x", retries=-1), "whole number"),
    ],
)
def test_a_call_that_cannot_work_says_what_is_right(make: Callable[[], object], message: str) -> None:
    """Before anything is called."""
    with pytest.raises(UsageError, match=message):
        make()
    assert ran == []


@workflow
async def calls_a_lambda() -> object:
    """What it gives is to be awaited, which nobody can see before."""
    return call("lambda", lambda: anote("never"))


@workflow
def calls_with_too_much() -> object:
    """The arguments do not fit."""
    return call("note", note, "a", 1, 2)  # type: ignore[call-overload]


@pytest.mark.usefixtures("sqlite_app")
def test_a_call_of_something_that_gives_a_coroutine_says_so() -> None:
    """And arguments that do not fit are no outcome of a body."""
    with pytest.raises(UsageError, match="gave something to await"):
        asyncio.run(calls_a_lambda())
    with pytest.raises(TypeError, match="too many positional"):
        calls_with_too_much()
    assert ran == []


@workflow
def small(text: str) -> str:
    """It leaves a line."""
    return call("note", note, text)


@workflow
async def asmall(text: str) -> str:
    """The same, async."""
    return await call("note", anote, text)


@pytest.mark.usefixtures("app")
def test_a_direct_call_with_an_id_is_made_once() -> None:
    """Again it gives the value of the same run; from a loop too, and in a run."""
    for name in ("once", "once"):
        assert perdure.with_options(id=f"{name} sync").call(small, "a") == "a"
        assert asyncio.run(perdure.with_options(id=f"{name} async").call(asmall, "b")) == "b"
    assert ran == ["a", "b"]
    with pytest.raises(perdure.RunExistsError):
        perdure.with_options(id="once sync").call(small, "other")


@step
def in_a_step() -> tuple[Any, ...]:
    """What it is told."""
    me = current()
    return where(), me.run_id, me.name, me.queue, me.parent_id, me.attempt, me.deadline, me.is_replaying


@workflow
def in_a_workflow() -> list[tuple[Any, ...]]:
    """Both."""
    me = current()
    ran.append(f"replaying {me.is_replaying}")
    seen = in_a_step()
    replay()
    assert not current().is_replaying
    return [(where(), me.run_id, me.name, me.queue, me.parent_id), seen]


@pytest.mark.usefixtures("app")
def test_code_knows_where_it_stands_and_in_which_run() -> None:
    """In a workflow, in its step, in a step by itself, and outside."""
    assert where() is None
    with pytest.raises(UsageError, match="current"):
        current()
    handle = Queue("whereabouts").submit(in_a_workflow)
    name = in_a_workflow.__perdure__.name  # type: ignore[attr-defined]
    run = (handle.run_id, name, "whereabouts", None)
    assert handle.result(PATIENCE_SECONDS) == [("workflow", *run), ("step", *run, 1, None, False)]
    assert ran == ["replaying False", "replaying True"]
    alone = start(in_a_step)
    assert alone.result(PATIENCE_SECONDS)[:4] == ("step", alone.run_id, in_a_step.__perdure__.name, None)  # type: ignore[attr-defined]


@step(retries=AT_ONCE)
def tells_its_attempt() -> int:
    """At the third."""
    attempt = current().attempt
    if attempt < 3:
        raise ConnectionError
    return attempt


@workflow
def asks_for_the_attempt() -> int:
    """A call of it, beside a thread that stands nowhere."""
    thread = threading.Thread(target=lambda: ran.append(str(where())))
    thread.start()
    thread.join()
    return tells_its_attempt()


@pytest.mark.usefixtures("sqlite_app")
def test_a_step_knows_its_attempt() -> None:
    """Counted from 1."""
    assert asks_for_the_attempt() == 3
    assert ran == ["None"]
