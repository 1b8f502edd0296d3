"""Retries and timeouts of steps."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

import perdure
from perdure import Retry, step, workflow
from tests.conformance.ledger import MOMENT_SECONDS, areplay, ran, replay

pytestmark = pytest.mark.usefixtures("sqlite_app")

AT_ONCE = Retry(attempts=4, initial_seconds=0)


class TemporaryError(Exception):
    """Try again."""


class WorseError(TemporaryError):
    """A subclass."""


class PermanentError(Exception):
    """Do not."""


def attempt(name: str) -> int:
    """The how-manieth attempt this is."""
    ran.append(name)
    return Counter(ran)[name]


@step(retries=AT_ONCE)
def third_time(name: str) -> str:
    """It succeeds at the third attempt."""
    if attempt(name) < 3:
        raise TemporaryError(name)
    return name


@workflow
def two_of_them() -> list[str]:
    """Two calls."""
    seen = [third_time("a"), third_time("b")]
    replay()
    return seen


def test_every_call_has_attempts_of_its_own_and_none_after_it_succeeded() -> None:
    """Inngest: each step has its own counter; DBOS: a recorded success is not retried at recovery."""
    assert two_of_them() == ["a", "b"]
    assert ran == ["a"] * 3 + ["b"] * 3


@step(retries=Retry(attempts=4, initial_seconds=0, on=(TemporaryError, OSError)))
def chosen(kind: str) -> None:
    """Raise one of several."""
    number = attempt(kind)
    raise {"temporary": TemporaryError, "worse": WorseError, "os": FileNotFoundError, "permanent": PermanentError}[
        kind
    ](number)


@workflow
def tries(kind: str) -> str:
    """What it ended with."""
    try:
        chosen(kind)
    except Exception as error:
        replay()
        return f"{type(error).__name__} {error}"
    return ""


@pytest.mark.parametrize(
    ("kind", "attempts", "name"),
    [
        ("temporary", 4, "TemporaryError"),
        ("worse", 4, "WorseError"),
        ("os", 4, "FileNotFoundError"),
        ("permanent", 1, "PermanentError"),
    ],
)
def test_only_the_chosen_errors_are_tried_again_and_the_last_one_is_raised(kind: str, attempts: int, name: str) -> None:
    """Inngest (py#57, js#210: non-retriable errors were retried once serialized), Temporal's non-retryable types."""
    assert tries(kind) == f"{name} {attempts}"
    assert len(ran) == attempts


@step(retries=2)
def default_pauses() -> None:
    """Only its definition is of interest."""


def test_a_number_of_retries_is_one_less_than_the_attempts() -> None:
    """Celery's `max_retries` and Hatchet's `retries` count what comes after the first."""
    assert default_pauses.__perdure__.retry.attempts == 3  # type: ignore[attr-defined]


def test_pauses_grow_up_to_a_limit_and_jitter_only_shortens_them() -> None:
    """Temporal's coefficient and maximum interval, AWS's jitter strategies."""
    retry = Retry(attempts=6, initial_seconds=1, factor=3, max_seconds=10, jitter=False)
    error = ValueError()
    assert [retry.pause_seconds(n, error, 0.5) for n in range(1, 7)] == [1, 3, 9, 10, 10, None]
    jittered = Retry(attempts=6, initial_seconds=1, factor=3, max_seconds=10)
    assert jittered.pause_seconds(2, error, 0.0) == 1.5
    assert jittered.pause_seconds(2, error, 1.0) == 3
    assert Retry(attempts=10_000, factor=10).pause_seconds(9_000, error, 1.0) == 60
    assert Retry(attempts=10_000, initial_seconds=0, factor=10).pause_seconds(9_000, error, 1.0) == 0


@pytest.mark.parametrize(
    "options",
    [{"attempts": 0}, {"initial_seconds": -1}, {"factor": 0}, {"max_seconds": -1}, {"on": ValueError()}, {"on": (1,)}],
    ids=repr,
)
def test_a_policy_that_cannot_work_is_refused_when_it_is_made(options: dict[str, object]) -> None:
    """Temporal validates a policy at the start of the activity; earlier is better."""
    with pytest.raises(perdure.UsageError, match="Retry"):
        Retry(**options)  # type: ignore[arg-type]


@step(retries=AT_ONCE)
def gives_an_object() -> object:
    """It succeeds with something that cannot be stored."""
    ran.append("object")
    return object()


@workflow
def wants_an_object() -> None:
    """It ends with that."""
    gives_an_object()


def test_a_result_that_cannot_be_stored_is_not_tried_again() -> None:
    """DBOS: trying again cannot help, and the effect has taken place."""
    with pytest.raises(perdure.SerializationError):
        wants_an_object()
    assert ran == ["object"]


@step(retries=AT_ONCE)
async def athird_time() -> str:
    """The async twin."""
    await asyncio.sleep(0)
    if attempt("async") < 3:
        raise TemporaryError
    return "done"


@workflow
async def atries() -> str:
    """One call."""
    seen = await athird_time()
    await areplay()
    return seen


async def stuck() -> None:
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()


@step(timeout=MOMENT_SECONDS, retries=AT_ONCE)
async def slow_then_fast() -> str:
    """Late twice."""
    if attempt("timeout") < 3:
        await stuck()
    return "fast"


@step(timeout=MOMENT_SECONDS, retries=AT_ONCE)
async def always_slow() -> None:
    """Late always."""
    ran.append("slow")
    await stuck()


@step(timeout=30, retries=Retry(attempts=4, initial_seconds=0, on=perdure.StepTimeoutError))
async def own_timeout() -> None:
    """A timeout of its own making, which is none of the step's."""
    ran.append("own")
    async with asyncio.timeout(MOMENT_SECONDS):
        await stuck()


@step(timeout=MOMENT_SECONDS)
async def stubborn() -> str:
    """It swallows the cancellation that its timeout sends."""
    try:
        await stuck()
    except asyncio.CancelledError:
        ran.append("swallowed")
    return "too late, or not"


@step(timeout=MOMENT_SECONDS)
async def converting() -> str:
    """It makes an error of its own of the cancellation."""
    try:
        await stuck()
    except asyncio.CancelledError:
        ran.append("swallowed")
        raise OSError("the connection was closed") from None
    return ""


@workflow
async def times_out(kind: str) -> str:
    """What a call gave."""
    call = {
        "fast": slow_then_fast,
        "slow": always_slow,
        "own": own_timeout,
        "stubborn": stubborn,
        "converting": converting,
    }[kind]
    try:
        seen = str(await call())
    except TimeoutError as error:
        seen = type(error).__name__
    await areplay()
    return seen


def test_an_async_step_is_tried_again() -> None:
    """All systems."""
    assert asyncio.run(atries()) == "done"
    assert ran == ["async"] * 3


def test_each_attempt_has_the_whole_timeout() -> None:
    """Temporal's start-to-close timeout is of the attempt, and retried like an error."""
    assert asyncio.run(times_out("fast")) == "fast"
    assert len(ran) == 3


def test_the_last_timeout_is_the_steps_error() -> None:
    """Hatchet and Temporal: out of attempts, the timeout is what is raised; as a `TimeoutError` too."""
    assert asyncio.run(times_out("slow")) == "StepTimeoutError"
    assert len(ran) == 4


def test_a_timeout_inside_the_body_is_not_the_timeout_of_the_step() -> None:
    """Restate tells its own from the user's: a policy for step timeouts must not match it."""
    assert asyncio.run(times_out("own")) == "TimeoutError"
    assert ran == ["own"]


@pytest.mark.parametrize("kind", ["stubborn", "converting"])
def test_a_body_that_swallows_its_timeout_has_timed_out_all_the_same(kind: str) -> None:
    """Temporal (sdk-python#620): what swallows a cancellation goes on, but its step is not in time."""
    assert asyncio.run(times_out(kind)) == "StepTimeoutError"
    assert ran == ["swallowed"]


def test_a_sync_step_has_no_timeout() -> None:
    """A thread cannot be stopped (Celery kills processes for it): refused when it is defined."""
    with pytest.raises(perdure.UsageError, match="not async"):
        step(timeout=1, name="conformance:sync-timeout")(lambda: None)


@step(at_most_once=True)
def once(name: str) -> str:
    """Never repeated."""
    ran.append(name)
    return name


@workflow
def calls_once() -> str:
    """One such call."""
    seen = once("once")
    replay()
    return seen


def test_at_most_once_replays_its_outcome() -> None:
    """AWS durable functions' at-most-once-per-retry semantics."""
    assert calls_once() == "once"
    assert ran == ["once"]
    with pytest.raises(perdure.UsageError, match="at most once"):
        step(at_most_once=True, retries=2, name="conformance:once-retried")(lambda: None)
