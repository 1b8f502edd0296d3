"""Steps: attempts and pauses, errors that come back as they were, keys and values that never change."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import perdure
from perdure import Queue, Retry, SerializationError, StepTimeoutError, step, workflow
from perdure._core.definitions import Definition
from perdure._core.flow import Attempt, AwaitTime, Chance, NoteRetry, Now, Outcome, Pause, Record, Settle
from perdure._core.flows.attempts import retry as retry_body
from perdure._core.retry import NO_RETRY
from perdure._core.step_call import StepCall
from perdure.errors import PerdureError, UsageError
from tests.journal.scripted import run

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


def answer(outcomes: list[Outcome], retry: Retry, chance: float) -> tuple[Outcome, int, list[str], list[float]]:
    """Drive the attempts of a step whose body ends so, one time after the other."""

    def body() -> None:
        """Never called: the driver answers in its place."""

    definition = Definition(body, "step", name="app:body", retry=retry)
    flow = retry_body(StepCall(run("r"), definition, "0", (), {}, "f"), outcomes[0], 1, 0.0)
    asked: list[str] = []
    pauses: list[float] = []
    reply: Any = None
    try:
        while True:
            request = flow.send(reply)
            asked.append(type(request).__name__)
            reply = None
            if isinstance(request, Attempt):
                reply = outcomes[request.number - 1]
            elif isinstance(request, Chance):
                reply = chance
            elif isinstance(request, Now):
                reply = sum(pauses)
            elif isinstance(request, Pause):
                pauses.append(request.seconds)
            elif isinstance(request, AwaitTime):
                pauses.append(request.due_at - sum(pauses))
            else:
                assert isinstance(request, Settle | Record | NoteRetry)
    except StopIteration as stop:
        outcome, number = stop.value
    return outcome, number, asked, pauses


def failed(kind: type[BaseException] = ConnectionError) -> Outcome:
    return Outcome(error=kind())


def test_a_failed_attempt_is_repeated_after_a_growing_pause() -> None:
    """Each pause is `factor` times the one before, up to `max_seconds`."""
    retry = Retry(attempts=6, initial_seconds=1.0, factor=3.0, max_seconds=20.0, jitter=False)
    outcome, number, _, pauses = answer([*[failed() for _ in range(5)], Outcome(7)], retry, 0.5)

    assert (outcome.value, number) == (7, 6)
    assert pauses == [1.0, 3.0, 9.0, 20.0, 20.0]


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_jitter_takes_between_half_of_the_pause_and_all_of_it(chance: float, share: float) -> None:
    """By the chance that the host draws."""
    retry = Retry(attempts=2, initial_seconds=8.0)
    *_, pauses = answer([failed(), Outcome(1)], retry, chance)

    assert pauses == [8.0 * share]


def test_after_the_last_attempt_the_error_is_the_outcome() -> None:
    """No pause follows it."""
    errors = [failed(), failed()]
    outcome, number, _, pauses = answer(errors, Retry(attempts=2, jitter=False), 0.0)

    assert outcome is errors[1]
    assert number == 2
    assert len(pauses) == 1


def test_no_attempt_begins_when_its_time_is_over() -> None:
    """The pause counts too: an attempt after it would begin too late."""
    retry = Retry(attempts=100, initial_seconds=10.0, factor=1.0, within_seconds=60.0, jitter=False)

    assert retry.pause_seconds(4, ConnectionError(), 0.0, 50.0) == 10.0
    assert retry.pause_seconds(4, ConnectionError(), 0.0, 51.0) is None
    assert answer([failed() for _ in range(9)], retry, 0.0)[1] == 7


def test_only_the_named_errors_are_tried_again() -> None:
    """Another kind is the outcome at once; so is what is no `Exception`."""
    retry = Retry(attempts=5, on=(ConnectionError, TimeoutError))
    assert answer([failed(TimeoutError), failed(KeyError)], retry, 0.0)[1] == 2
    assert answer([failed(KeyError)], retry, 0.0)[1] == 1
    assert answer([failed(SystemExit)], Retry(attempts=5), 0.0)[1] == 1


def test_every_attempt_is_settled_before() -> None:
    """A sibling's outcome may have travelled to it during the pause."""
    *_, asked, _ = answer([failed(), failed(), Outcome(1)], Retry(attempts=3, initial_seconds=0), 0.0)

    assert asked == ["Chance", "Now", "NoteRetry", "Pause", "Settle", "Attempt"] * 2


def test_what_was_tried_is_recorded_before_a_pause() -> None:
    """A long one is a durable wait; one that is over before a commit would be leaves nothing behind."""
    kinds = {0.01: ["Pause"], 0.5: ["Record", "Pause"], 5.0: ["Record", "AwaitTime"]}
    for seconds, expected in kinds.items():
        policy = Retry(attempts=2, initial_seconds=seconds, jitter=False)
        *_, asked, _ = answer([failed(), Outcome(1)], policy, 0.0)
        assert asked == ["Chance", "Now", "NoteRetry", *expected, "Settle", "Attempt"], seconds


def test_without_a_policy_there_is_one_attempt() -> None:
    """Retrying what may have had an effect is the user's decision."""
    assert answer([failed()], NO_RETRY, 0.0)[1] == 1


@pytest.mark.parametrize(
    "values",
    [{"attempts": 0}, {"initial_seconds": -1}, {"factor": 0}, {"max_seconds": -1}, {"on": "x"}, {"within_seconds": 0}],
)
def test_a_policy_that_makes_no_sense_is_refused(values: dict[str, Any]) -> None:
    """When it is written, not when it is needed."""
    with pytest.raises(UsageError):
        Retry(**values)


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
    assert app._launched().store.run("odd") is None


@workflow
def call_with(value: Any) -> None:
    """Calls a step."""
    accept_anything(value)
