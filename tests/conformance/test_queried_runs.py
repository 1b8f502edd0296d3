"""Queries: how a run stands, told by its own code, whatever the run does just now; and nothing is recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

import perdure
from perdure import (
    Perdure,
    QueryNotFoundError,
    RunNotFoundError,
    SerializationError,
    UsageError,
    WaitTimeoutError,
    on_query,
    recv,
    send,
    set_event,
    sleep,
    step,
    workflow,
)
from tests.conformance.ledger import PATIENCE_SECONDS, await_signal, ran, signals, state_of, until

pytestmark = pytest.mark.usefixtures("app")


@perdure.register
@dataclass(frozen=True)
class Status:
    """What is told, of a type of one's own."""

    done: int
    note: str


@step
def work(number: int) -> int:
    """A body that is counted."""
    ran.append(f"work {number}")
    return number


def register(status: dict[str, Any]) -> None:
    """What both forms answer."""

    def told(note: str = "") -> Status:
        return Status(status["done"], note)

    def fails() -> None:
        raise LookupError("it is not known")

    on_query("status", told)
    on_query("fails", fails)
    on_query("changes", lambda: work(99))
    on_query("says", lambda: set_event("a", 1))
    on_query("sleeps", lambda: sleep(1))
    on_query("starts", lambda: perdure.start(counts, 1))
    on_query("unstorable", object)


@workflow
def counts(rounds: int) -> str:
    """Works, and waits in between."""
    status = {"done": 0}
    register(status)
    for number in range(rounds):
        recv("go")
        work(number)
        status["done"] += 1
    return "ended"


@workflow
async def acounts(rounds: int) -> str:
    """The same, async."""
    status = {"done": 0}
    register(status)
    for number in range(rounds):
        await recv("go")
        await asyncio.sleep(0)
        work(number)
        status["done"] += 1
    return "ended"


COUNTS = pytest.mark.parametrize("function", [counts, acounts], ids=["sync", "async"])


@COUNTS
def test_a_query_tells_how_the_run_stands(app: Perdure, function: Any) -> None:
    """Live, parked, and ended; its bodies are not run for it, nothing is recorded, and a parked run stays parked."""
    handle = perdure.start(function, 2)
    assert handle.query("status", type=Status) == Status(0, "")
    send(handle, 1, topic="go")
    until(lambda: handle.query("status").done == 1)
    until(lambda: state_of(app, handle.run_id) == "parked")
    assert app._runtime is not None
    recorded = len(app._runtime.store.runs.checkpoints(handle.run_id))
    assert handle.query("status", "parked") == Status(1, "parked")
    assert state_of(app, handle.run_id) == "parked"
    assert len(app._runtime.store.runs.checkpoints(handle.run_id)) == recorded
    send(handle, 1, topic="go")
    assert handle.result(PATIENCE_SECONDS) == "ended"
    assert handle.query("status", "ended") == Status(2, "ended")
    assert ran == ["work 0", "work 1"]


@COUNTS
def test_a_query_changes_nothing(function: Any) -> None:
    """A durable call in it is an error that says so, live and by a replay."""
    handle = perdure.start(function, 1)
    for _ in range(2):
        for name in ("changes", "says", "sleeps", "starts"):
            with pytest.raises(UsageError, match=f"query '{name}' of run .* made a durable call"):
                handle.query(name)
        with pytest.raises(LookupError, match="it is not known"):
            handle.query("fails")
        with pytest.raises(SerializationError):
            handle.query("unstorable")
        with pytest.raises(TypeError):
            handle.query("status", 1, 2)
        with pytest.raises(QueryNotFoundError, match="answers no query 'other'; it answers 'changes', 'fails'"):
            handle.query("other")
        handle.cancel()
        with pytest.raises(perdure.RunCancelledError):
            handle.result(PATIENCE_SECONDS)
    assert ran == []


class OwnBaseError(BaseException):
    """As trio's and pytest's own."""


ERRORS: dict[str, type[BaseException]] = {"exit": SystemExit, "ctrl-c": KeyboardInterrupt, "own": OwnBaseError}


def raises(kind: str) -> None:
    """No `Exception`."""
    raise ERRORS[kind]("no")


@step
def held() -> str:
    """A body that the test lets end."""
    await_signal("body")
    return "ended"


@step
async def aheld() -> str:
    """On a loop."""
    return await asyncio.to_thread(held)


@workflow
def exits() -> str:
    """In what it answers."""
    on_query("raises", raises)
    on_query("status", lambda: "told")
    return held()


@workflow
async def aexits() -> str:
    """The same, async."""
    on_query("raises", raises)
    on_query("status", lambda: "told")
    return await aheld()


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("function", [exits, aexits], ids=["sync", "async"])
def test_whoever_asks_is_told_of_any_error_and_the_run_goes_on(function: Any, kind: str) -> None:
    """Also of what would end the program: it is the query's, and neither the run's nor that of who asks."""
    handle = perdure.start(function)
    assert handle.query("status") == "told"
    expected = OwnBaseError if kind == "own" else perdure.errors.RecordedError
    with pytest.raises(expected, match="no"):
        handle.query("raises", kind)
    assert handle.query("status") == "told"
    signals["body"].set()
    assert handle.result(PATIENCE_SECONDS) == "ended"
    with pytest.raises(expected, match="no"):
        handle.query("raises", kind)


@workflow
def stubborn() -> None:
    """Its own code is at work, without a durable call."""
    on_query("status", lambda: "told")
    ran.append("begun")
    await_signal("let go")
    recv("go")


def test_a_query_waits_until_the_code_is_at_rest() -> None:
    """Not for ever; and the run goes on as if nobody had asked."""
    handle = perdure.start(stubborn)
    until(lambda: "begun" in ran)
    with pytest.raises(WaitTimeoutError, match=r"has not answered query 'status' within 0\.05 seconds"):
        handle.query("status", timeout=0.05)
    signals["let go"].set()
    assert handle.query("status") == "told"
    handle.cancel()


@step
def body(name: str) -> None:
    """One that the test lets end."""
    ran.append(name)
    await_signal(name)


@workflow
def in_body() -> str:
    """It is in a step when it is asked."""
    on_query("status", lambda: "told")
    body("in body")
    return "ended"


def test_a_query_is_answered_while_a_body_runs() -> None:
    """The run's own code is at rest then."""
    handle = perdure.start(in_body)
    until(lambda: "in body" in ran)
    assert handle.query("status") == "told"
    signals["in body"].set()
    assert handle.result(PATIENCE_SECONDS) == "ended"


def test_a_query_of_what_is_not_there_is_an_error() -> None:
    """A clear one; and one of another type than was asked for."""
    with pytest.raises(RunNotFoundError):
        perdure.handle("nobody").query("status")
    handle = perdure.start(counts, 1)
    with pytest.raises(SerializationError, match="is a Status"):
        handle.query("status", type=int)
    with pytest.raises(UsageError, match="query: name"):
        handle.query("")
    handle.cancel()


def test_a_run_that_has_not_begun_is_asked_too() -> None:
    """How it stands before its first call."""
    delayed = perdure.Queue("queries, delayed").with_options(delay=60).submit(counts, 1)
    assert delayed.query("status") == Status(0, "")
    delayed.cancel()


@workflow
def in_threads() -> list[int]:
    """Branches at work beside each other."""
    done: list[int] = []

    def branch(number: int) -> None:
        recv(f"go {number}")
        done.append(work(number))

    on_query("done", lambda: list(done))
    with perdure.threads() as pool:
        for number in range(2):
            pool.submit(branch, number)
    return done


@workflow
async def in_tasks() -> list[int]:
    """The same, async."""
    done: list[int] = []

    async def branch(number: int) -> None:
        await recv(f"go {number}")
        done.append(work(number))

    on_query("done", lambda: list(done))
    await asyncio.gather(*(branch(number) for number in range(2)))
    return done


@pytest.mark.parametrize("function", [in_threads, in_tasks], ids=["sync", "async"])
def test_a_run_of_several_branches_answers(app: Perdure, function: Any) -> None:
    """In the order in which it went on, and the same by a replay."""
    handle = perdure.start(function)
    assert handle.query("done") == []
    send(handle, 1, topic="go 1")
    until(lambda: handle.query("done") == [1])
    until(lambda: state_of(app, handle.run_id) == "parked")
    assert handle.query("done") == [1]
    send(handle, 1, topic="go 0")
    assert handle.result(PATIENCE_SECONDS) == [1, 0]
    assert handle.query("done") == [1, 0]


def test_a_coroutine_asks_by_await() -> None:
    """On the loop that executes the run."""

    async def ask() -> Status:
        handle = await perdure.astart(acounts, 1)
        found = await handle.aquery("status", "awaited", type=Status)
        await handle.acancel()
        return found

    assert asyncio.run(ask()) == Status(0, "awaited")
