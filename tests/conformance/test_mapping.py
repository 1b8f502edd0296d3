"""`map`: at most so many at once, results in order with their items, resumed half-way, under a policy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

import perdure
from perdure import Mapped, NotDurableError, Perdure, Policy, Queue, UsageError, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, await_signal, ran, replay, signals, state_of, until

pytestmark = pytest.mark.usefixtures("app")

wide = Queue("mapping, wide", worker_concurrency=8)
narrow = Queue("mapping, narrow", worker_concurrency=1)


class Crowd:
    """How many bodies are at work at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0

    def __enter__(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.now -= 1


crowd = Crowd()


@step
def square(number: int) -> int:
    """Negative ones fail."""
    with crowd:
        ran.append(f"square {number}")
        if number < 0:
            raise ValueError(str(number))
        return number * number


@step
async def asquare(number: int) -> int:
    """The same."""
    return square(number)


@step
def held(name: str) -> str:
    """It ends when the test says so; `bad` ones fail."""
    ran.append(f"begun {name}")
    await_signal(name)
    if name.startswith("bad"):
        raise ValueError(name)
    return name.upper()


@step
def note(seen: list[Any]) -> int:
    """A replay that saw something else would differ."""
    return len(seen)


def shown(result: Mapped[Any, Any]) -> list[Any]:
    """As a list that can be recorded."""
    return [result.item, result.value if result.error is None else repr(result.error)]


@workflow
def maps(numbers: list[int], limit: int, failures: int | None) -> list[Any]:
    """All results, with a step between two of them."""
    seen = []
    for result in perdure.map(square, numbers, limit=limit, policy=Policy(failures=failures)):
        seen.append(shown(result))
        note(seen)
    replay()
    return seen


@workflow
async def amaps(numbers: list[int], limit: int, failures: int | None) -> list[Any]:
    """The same."""
    seen = []
    async for result in perdure.map(asquare, numbers, limit=limit, policy=Policy(failures=failures)):
        seen.append(shown(result))
        note(seen)
    await areplay()
    return seen


BOTH = pytest.mark.parametrize("function", [maps, amaps], ids=["sync", "async"])


@BOTH
def test_results_come_in_the_order_of_the_items_and_nothing_runs_twice(function: Any) -> None:
    """Also when the run is executed again from the top; at no time more than the limit."""
    crowd.most = 0
    handle = perdure.start(function, list(range(20)), 3, 0)
    assert handle.result(PATIENCE_SECONDS) == [[number, number * number] for number in range(20)]
    assert sorted(ran) == sorted(f"square {number}" for number in range(20))
    assert crowd.most <= 3


@BOTH
def test_tolerated_failures_are_values(function: Any) -> None:
    """Each with its item."""
    expected = [[1, 1], [-2, "ValueError('-2')"], [3, 9], [-4, "ValueError('-4')"]]
    assert perdure.start(function, [1, -2, 3, -4], 2, 2).result(PATIENCE_SECONDS) == expected
    assert perdure.start(function, [1, -2, 3, -4], 4, None).result(PATIENCE_SECONDS) == expected


@BOTH
def test_the_first_failure_is_raised_where_none_is_tolerated(function: Any) -> None:
    """As it is."""
    with pytest.raises(ValueError, match="-2"):
        perdure.start(function, [1, -2, 3], 1, 0).result(PATIENCE_SECONDS)
    assert "square 3" not in ran


@BOTH
def test_one_failure_too_many_raises_them_all(function: Any) -> None:
    """As a group, which says how many are tolerated."""
    with pytest.raises(ExceptionGroup, match="2 of the calls have failed, 1 are tolerated") as raised:
        perdure.start(function, [-1, -2, 3, 4], 1, 1).result(PATIENCE_SECONDS)
    assert [str(error) for error in raised.value.exceptions] == ["-1", "-2"]
    assert "square 3" not in ran


@workflow
def first_of(names: list[str], successes: int) -> list[Any]:
    """So many are enough."""
    policy = Policy(successes=successes, failures=None)
    seen = [shown(result) for result in perdure.map(held, names, limit=3, policy=policy)]
    replay()
    note(seen)
    return seen


@workflow
async def afirst_of(names: list[str], successes: int) -> list[Any]:
    """The same."""
    policy = Policy(successes=successes, failures=None)
    seen = [shown(result) async for result in perdure.map(held, names, limit=3, policy=policy)]
    await areplay()
    note(seen)
    return seen


@pytest.mark.parametrize("function", [first_of, afirst_of], ids=["sync", "async"])
def test_enough_successes_end_it_and_the_rest_is_cancelled(app: Perdure, function: Any) -> None:
    """What has not begun never begins; what has ended before is given, in order."""
    handle = perdure.start(function, ["slow", "bad", "quick", "late", "never"], 2)
    until(lambda: sum(name.startswith("begun") for name in ran) == 3)
    signals["bad"].set()
    until(lambda: "begun late" in ran)
    signals["quick"].set()
    until(lambda: "begun never" in ran)
    signals["never"].set()
    assert handle.result(PATIENCE_SECONDS) == [["bad", "ValueError('bad')"], ["quick", "QUICK"], ["never", "NEVER"]]
    signals["slow"].set()
    signals["late"].set()
    children = list(perdure.runs.list(parent=handle.run_id))
    until(lambda: sorted(str(state_of(app, run.run_id)) for run in children).count("cancelled") == 2)


@pytest.mark.parametrize("function", [first_of, afirst_of], ids=["sync", "async"])
def test_too_few_successes_are_an_error(function: Any) -> None:
    """Known when all have ended."""
    signals["bad"].set()
    signals["good"].set()
    with pytest.raises(ExceptionGroup, match="1 have succeeded, 2 were wanted"):
        perdure.start(function, ["bad", "good"], 2).result(PATIENCE_SECONDS)
    with pytest.raises(UsageError, match="1 have succeeded, 2 were wanted, and there were no more calls"):
        perdure.start(function, ["good"], 2).result(PATIENCE_SECONDS)


@workflow
def on_one_queue() -> list[int]:
    """It stands on the queue that its children need, one at a time."""
    return [result.value or 0 for result in perdure.map(square, [1, 2, 3], queue=narrow.with_options(priority=3))]


@workflow
async def aon_one_queue() -> list[int]:
    """The same."""
    return [result.value or 0 async for result in perdure.map(square, [1, 2, 3], queue=narrow)]


@pytest.mark.parametrize("function", [on_one_queue, aon_one_queue], ids=["sync", "async"])
def test_the_slot_is_given_back_meanwhile(function: Any) -> None:
    """A queue of one would stand still for ever."""
    assert narrow.submit(function).result(PATIENCE_SECONDS) == [1, 4, 9]


@workflow
def leaves(names: list[str]) -> list[int]:
    """What has begun goes on."""
    for result in perdure.map(held, names, limit=2):
        return [note([result.value])]
    return []


@workflow
async def aleaves(names: list[str]) -> list[int]:
    """The same."""
    async for result in perdure.map(held, names, limit=2):
        return [note([result.value])]
    return []


@pytest.mark.parametrize("function", [leaves, aleaves], ids=["sync", "async"])
def test_leaving_the_loop_cancels_nothing(app: Perdure, function: Any) -> None:
    """What had begun when the result was given goes on, and nothing more begins."""
    handle = perdure.start(function, list("abcd"))
    signals["a"].set()
    assert handle.result(PATIENCE_SECONDS) == [1]
    children = list(perdure.runs.list(parent=handle.run_id))
    signals["b"].set()
    signals["c"].set()
    until(lambda: [state_of(app, run.run_id) for run in children] == ["succeeded"] * 3)


def test_outside_runs_it_is_the_same() -> None:
    """Runs without a parent."""
    policy = Policy(failures=1)
    results = list(perdure.map(square, iter([1, -2, 3]), limit=2, policy=policy, queue=wide))
    assert [shown(result) for result in results] == [[1, 1], [-2, "ValueError('-2')"], [3, 9]]
    with pytest.raises(ValueError, match="-1"):
        list(perdure.map(square, [-1, 2], limit=1))
    assert list(perdure.map(square, [])) == []


def test_outside_runs_it_is_iterated_on_a_loop() -> None:
    """And leaves no task."""

    async def main() -> list[Any]:
        results = [result async for result in perdure.map(asquare, [1, -2, 3], policy=Policy(failures=1))]
        with pytest.raises(ValueError, match="-1"):
            _ = [result async for result in perdure.map(square, [-1, 2], limit=1)]
        with pytest.raises(UsageError, match="use `async for`"):
            list(perdure.map(square, [1]))
        assert len(asyncio.all_tasks()) <= 2
        return [shown(result) for result in results]

    assert asyncio.run(main()) == [[1, 1], [-2, "ValueError('-2')"], [3, 9]]


def plain(number: int) -> int:
    """Not durable."""
    return number


@pytest.mark.parametrize(
    ("error", "told", "call"),
    [
        (NotDurableError, "plain", lambda: perdure.map(plain, [1])),
        (UsageError, "limit=0", lambda: perdure.map(square, [1], limit=0)),
        (UsageError, "limit=True", lambda: perdure.map(square, [1], limit=True)),
        (UsageError, "iterate over", lambda: perdure.map(square, 7)),  # type: ignore[call-overload]
        (UsageError, "give a perdure.Policy", lambda: perdure.map(square, [1], policy=3)),  # type: ignore[call-overload]
        (UsageError, "give a perdure.Queue", lambda: perdure.map(square, [1], queue="q")),  # type: ignore[call-overload]
        (UsageError, "one id", lambda: perdure.map(square, [1], queue=wide.with_options(id="x"))),
        (UsageError, "successes=0", lambda: Policy(successes=0)),
        (UsageError, "failures=-1", lambda: Policy(failures=-1)),
        (UsageError, "failures=0.5", lambda: Policy(failures=0.5)),  # type: ignore[arg-type]
    ],
)
def test_bad_input_is_refused_where_it_is_given(error: Any, told: str, call: Any) -> None:
    """Before anything begins."""
    with pytest.raises(error, match=told):
        call()
    assert ran == []


def test_in_sync_code_it_is_no_async_iterator() -> None:
    """The error says what to write."""
    found: AsyncIterator[Any] | None = None
    with pytest.raises(UsageError, match="in sync code use `for`"):
        found = aiter(perdure.map(square, [1]))
    assert found is None
