"""`gather`: values in order, under a policy; and `wait_for`, which looks again and again."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

import perdure
from perdure import NotDurableError, Perdure, Policy, Queue, RunCancelledError, UsageError, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, await_signal, ran, replay, signals, state_of, until

pytestmark = pytest.mark.usefixtures("app")

wide = Queue("gathering, wide", worker_concurrency=8)


@step
def held(name: str) -> str:
    """It ends when the test says so; `bad` ones fail."""
    ran.append(f"begun {name}")
    await_signal(name)
    if name.startswith("bad"):
        raise ValueError(name)
    return name.upper()


@step
async def aheld(name: str) -> str:
    """The same, without stopping the loop."""
    return await asyncio.to_thread(held.__wrapped__, name)  # type: ignore[attr-defined]  # the plain function


def shown(value: Any) -> Any:
    """As something that can be recorded."""
    return type(value).__name__ if isinstance(value, BaseException) else value


@workflow
def gathers(names: list[str], successes: int | None, failures: int | None) -> list[Any]:
    """Of handles and partials in turn."""
    calls = [wide.submit(held, name) if place % 2 else partial(held, name) for place, name in enumerate(names)]
    values = perdure.gather(*calls, policy=Policy(successes, failures))
    replay()
    return [shown(value) for value in values]


@workflow
async def agathers(names: list[str], successes: int | None, failures: int | None) -> list[Any]:
    """The same."""
    calls = [await wide.asubmit(held, name) if place % 2 else partial(held, name) for place, name in enumerate(names)]
    values = await perdure.gather(*calls, policy=Policy(successes, failures))
    await areplay()
    return [shown(value) for value in values]


@workflow
async def gathers_coroutines(names: list[str], successes: int | None, failures: int | None) -> list[Any]:
    """Of coroutines and tasks in turn."""
    calls = [asyncio.create_task(aheld(name)) if place % 2 else aheld(name) for place, name in enumerate(names)]
    values = await perdure.gather(*calls, policy=Policy(successes, failures))
    await areplay()
    return [shown(value) for value in values]


WAYS = pytest.mark.parametrize("function", [gathers, agathers, gathers_coroutines], ids=lambda way: way.__name__)


@WAYS
def test_values_come_in_the_order_of_the_calls(function: Any) -> None:
    """Whatever ends first."""
    handle = perdure.start(function, ["a", "b", "c"], None, 0)
    for name in "cab":
        until(lambda: len(ran) >= 3)
        signals[name].set()
    assert handle.result(PATIENCE_SECONDS) == ["A", "B", "C"]
    assert sorted(ran) == ["begun a", "begun b", "begun c"]


@WAYS
def test_tolerated_failures_stand_in_the_list(function: Any) -> None:
    """Others are raised as soon as they are known, and the rest is cancelled."""
    for name in ("a", "bad", "bad too"):
        signals[name].set()
    assert perdure.start(function, ["a", "bad"], None, 1).result(PATIENCE_SECONDS) == ["A", "ValueError"]
    with pytest.raises(ValueError, match="bad"):
        perdure.start(function, ["slow", "bad"], None, 0).result(PATIENCE_SECONDS)
    with pytest.raises(ExceptionGroup, match="2 of the calls have failed, 1 are tolerated"):
        perdure.start(function, ["slow", "bad", "bad too"], None, 1).result(PATIENCE_SECONDS)
    signals["slow"].set()


@WAYS
def test_enough_successes_end_it(app: Perdure, function: Any) -> None:
    """The rest is cancelled."""
    handle = perdure.start(function, ["slow", "bad", "quick"], 1, None)
    until(lambda: len(ran) == 3)
    signals["quick"].set()
    given_up, failed, value = handle.result(PATIENCE_SECONDS)
    assert (given_up, value) in {("RunCancelledError", "QUICK"), ("CancelledError", "QUICK")}
    assert failed == given_up
    signals["slow"].set()
    signals["bad"].set()
    if function is not gathers_coroutines:
        children = list(perdure.runs.list(parent=handle.run_id))
        until(lambda: [state_of(app, run.run_id) for run in children].count("cancelled") == 2)


def test_outside_runs_it_gathers_runs_and_tasks() -> None:
    """Of a sync program handles and partials only."""
    for name in ("a", "b", "bad"):
        signals[name].set()
    assert perdure.gather() == []
    assert perdure.gather(partial(held, "a"), wide.submit(held, "b")) == ["A", "B"]
    twice = wide.submit(held, "a")
    assert perdure.gather(twice, twice, policy=Policy(successes=2)) == ["A", "A"]
    value, given_up = perdure.gather(partial(held, "a"), partial(held, "slow"), policy=Policy(successes=1))
    assert value == "A"
    assert isinstance(given_up, RunCancelledError)

    async def main() -> list[Any]:
        forever = asyncio.create_task(asyncio.sleep(3600))
        first = await perdure.gather(partial(held, "a"), forever, aheld("b"), policy=Policy(successes=2))
        assert forever.cancelled()
        with pytest.raises(ValueError, match="bad"):
            await perdure.gather(partial(held, "bad"), asyncio.sleep(3600))
        assert len(asyncio.all_tasks()) <= 2
        return [shown(one) for one in first]

    assert asyncio.run(main()) == ["A", "CancelledError", "B"]
    signals["slow"].set()


def test_who_gives_up_gathering_gives_up_its_tasks_and_no_runs(app: Perdure) -> None:
    """As with the gather of asyncio."""

    async def main() -> None:
        handle = await wide.asubmit(held, "run")
        own = asyncio.create_task(perdure.gather(handle, asyncio.sleep(3600)))
        await asyncio.sleep(0)
        own.cancel()
        with pytest.raises(asyncio.CancelledError):
            await own
        assert len(asyncio.all_tasks()) <= 2
        signals["run"].set()
        assert await handle == "RUN"

    asyncio.run(main())


def plain() -> None:
    """Not durable."""


@pytest.mark.parametrize(
    ("error", "told", "call"),
    [
        (NotDurableError, "plain", lambda: perdure.gather(partial(plain), partial(held, "a"))),
        (UsageError, "give handles of runs, or a functools.partial", lambda: perdure.gather(partial(held, "a"), plain)),
        (UsageError, "2 calls cannot give the 3", lambda: perdure.gather(plain, plain, policy=Policy(successes=3))),
        (UsageError, "give a perdure.Policy", lambda: perdure.gather(partial(held, "a"), policy="all")),
    ],
)
def test_what_is_no_call_is_refused_before_anything_begins(error: Any, told: str, call: Any) -> None:
    """With what can be given instead."""
    with pytest.raises(error, match=told):
        call()
    assert ran == []


@pytest.mark.filterwarnings("error")
def test_refused_coroutines_are_closed() -> None:
    """Nobody is warned of what was never awaited."""

    async def main() -> None:
        with pytest.raises(UsageError, match="not a int"):
            await perdure.gather(aheld("a"), 7)

    asyncio.run(main())
