"""Steps: errors that come back as they were, keys and values that never change."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import perdure
from perdure import Queue, Retry, SerializationError, StepTimeoutError, step, workflow
from perdure.errors import PerdureError, UsageError

queue = Queue("steps")


class Bodies:
    """How often each body ran, what it noted, and a gate at which a body waits."""

    def __init__(self) -> None:
        self.ran: dict[str, int] = {}
        self.notes: list[Any] = []
        self.is_at_gate = threading.Event()
        self.gate = threading.Event()

    def enter(self, name: str) -> None:
        """A body begins."""
        self.ran[name] = self.ran.get(name, 0) + 1


bodies = Bodies()


@pytest.fixture(autouse=True)
def fresh_bodies() -> Any:
    """One for each test; nobody is left at the gate."""
    global bodies
    bodies = Bodies()
    yield
    bodies.gate.set()


@step
def stop_at_gate() -> None:
    """Waits for the test; at the second run of the body it goes on."""
    bodies.enter("gate")
    if bodies.ran["gate"] == 1:
        bodies.is_at_gate.set()
        bodies.gate.wait(60)


def restart_at_gate(url: str, function: Callable[..., Any], *args: Any) -> Any:
    """Start the workflow, stop the instance when a body waits at the gate, go on in a new one: the run's value."""
    with perdure.running(url, shutdown_seconds=0.0):
        run_id = perdure.start(function, *args).run_id
        assert bodies.is_at_gate.wait(60)
    with perdure.running(url, shutdown_seconds=0.0, poll_seconds=0.05):
        return perdure.handle(run_id).result(60)


class OrderError(Exception):
    """An error with more than a message."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message, code)
        self.code = code


perdure.register(OrderError)


@step
def fail_with_cause() -> None:
    """Raises an error of ours that has a cause."""
    bodies.enter("fail")
    try:
        {}["the cause"]
    except KeyError as cause:
        raise OrderError("out of stock", 42) from cause


@workflow
def note_the_error() -> list[Any]:
    """What the workflow's code sees of it."""
    try:
        fail_with_cause()
    except Exception as error:
        seen = [type(error).__name__, str(error), getattr(error, "code", None), repr(error.__cause__)]
        bodies.notes.append(seen)
    stop_at_gate()
    return seen


def test_a_recorded_error_comes_back_as_it_was(url: str) -> None:
    """After a restart: type, message, attributes, cause; and its step is not run again."""
    seen = restart_at_gate(url, note_the_error)

    assert seen == ["OrderError", "('out of stock', 42)", 42, "KeyError('the cause')"]
    assert bodies.notes == [seen, seen]
    assert bodies.ran["fail"] == 1


@step(retries=Retry(attempts=3, initial_seconds=0.001), timeout=0.02)
async def hang() -> None:
    """Longer than its time, unless it is the third attempt of a call that may."""
    bodies.enter("hang")
    await asyncio.Event().wait()


@workflow
async def call_hang() -> str:
    """The error's type."""
    try:
        await hang()
    except TimeoutError as error:
        return type(error).__name__ + " " + str("0.02" in str(error))
    return "no error"


def test_each_attempt_has_its_timeout(app: perdure.Perdure) -> None:
    """An attempt that takes longer is cancelled, counts as failed, and is tried again."""
    assert asyncio.run(call_hang()) == StepTimeoutError.__name__ + " True"
    assert bodies.ran["hang"] == 3


@step(retries=Retry(attempts=2, initial_seconds=0.001))
def note_key(fails: bool) -> str:
    """Its idempotency key."""
    bodies.enter("key")
    bodies.notes.append(perdure.idempotency_key())
    if fails and bodies.ran["key"] == 1:
        raise ConnectionError
    return perdure.idempotency_key()


@workflow
def keys() -> list[str]:
    """Those of two calls, the first of which fails once, and of one that runs again after the restart."""
    first = note_key(True)
    second = note_key(False)
    return [first, second, gate_key()]


@step
def gate_key() -> str:
    """Its key, noted in both processes."""
    bodies.notes.append(perdure.idempotency_key())
    bodies.enter("gate")
    if bodies.ran["gate"] == 1:
        bodies.is_at_gate.set()
        bodies.gate.wait(60)
    return perdure.idempotency_key()


def test_an_idempotency_key_never_changes(url: str) -> None:
    """The same at every attempt, after a restart, and different for every call."""
    first, second, third = restart_at_gate(url, keys)

    assert bodies.notes == [first, first, second, third, third]
    assert len({first, second, third}) == 3


def test_a_step_by_itself_has_its_runs_id_as_key(app: perdure.Perdure) -> None:
    """It is all that distinguishes it."""
    assert queue.with_options(id="order 17").submit(note_key, False).result(60) == "order 17"


def test_outside_a_step_there_is_no_key(app: perdure.Perdure) -> None:
    """Nothing would be repeated."""
    with pytest.raises(UsageError):
        perdure.idempotency_key()


@step(at_most_once=True)
def once() -> None:
    """Must not be repeated; the process ends while it runs."""
    bodies.enter("once")
    bodies.is_at_gate.set()
    bodies.gate.wait(60)


@workflow
def call_once() -> str:
    """What the workflow learns."""
    try:
        once()
    except PerdureError as error:
        return str(error)
    return "it ended"


def test_a_step_that_may_run_at_most_once_is_not_repeated(url: str) -> None:
    """Its process ended while it ran: the workflow is told that nobody knows what it did."""
    assert "may run at most once" in restart_at_gate(url, call_once)
    assert bodies.ran["once"] == 1


@workflow
def draw() -> list[str]:
    """Values that differ at every draw."""
    drawn = [str(perdure.now()), str(perdure.random()), str(perdure.uuid4()), str(perdure.uuid4())]
    bodies.notes.append(drawn)
    stop_at_gate()
    return drawn


def test_drawn_values_are_the_same_at_every_replay(url: str) -> None:
    """Time, chance and UUIDs are outcomes like any other."""
    drawn = restart_at_gate(url, draw)

    assert bodies.notes == [drawn, drawn]
    assert len(set(drawn)) == 4


@step
def accept_anything(value: Any) -> None:
    """Counts."""
    bodies.enter("accept")


@step
def give_something_odd() -> Any:
    """A result that cannot be stored."""
    bodies.enter("odd")
    return {"pages": [1, {"author": threading.Lock()}]}


@workflow
def pass_something_odd() -> str:
    """What the workflow learns when an argument cannot be stored."""
    try:
        accept_anything([1, {"f": threading.Lock()}])
    except SerializationError as error:
        return f"{error} at {error.path}"
    return "accepted"


@workflow
def get_something_odd() -> str:
    """What the workflow learns when a result cannot be stored."""
    try:
        give_something_odd()
    except SerializationError as error:
        return str(error)
    return "accepted"


def test_an_argument_that_cannot_be_stored_is_refused_before_the_body(app: perdure.Perdure) -> None:
    """The error names the step, the path inside the value, and what to do."""
    message = pass_something_odd()

    assert "accept_anything" in message
    assert "lock" in message
    assert "[1].f" in message
    assert "accept" not in bodies.ran


def test_a_result_that_cannot_be_stored_is_the_steps_error(app: perdure.Perdure) -> None:
    """It is recorded as such: the body is not run again."""
    message = get_something_odd()

    assert "give_something_odd" in message
    assert ".pages[1].author" in message
    assert bodies.ran["odd"] == 1


def test_a_run_whose_argument_cannot_be_stored_is_not_started(app: perdure.Perdure) -> None:
    """Neither called, nor started, nor submitted."""
    for begin in (
        lambda: call_with(threading.Lock()),
        lambda: perdure.start(call_with, threading.Lock()),
        lambda: queue.with_options(id="odd").submit(call_with, threading.Lock()),
    ):
        with pytest.raises(SerializationError, match="call_with"):
            begin()
    assert app._launched().store.runs.row("odd") is None


@workflow
def call_with(value: Any) -> None:
    """Calls a step."""
    accept_anything(value)
