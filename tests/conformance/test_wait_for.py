"""`wait_for`: a condition is looked at again and again, and each answer is recorded."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

import perdure
from perdure import Perdure, UsageError, WaitTimeoutError, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, ran, replay, state_of, until

pytestmark = pytest.mark.usefixtures("app")

FAR = 3600


@step
def third(name: str) -> str:
    """True when it is asked for the third time."""
    ran.append(name)
    return name if ran.count(name) == 3 else ""


@step
async def athird(name: str) -> str:
    """The same."""
    return third(name)


def plain_third() -> int:
    """A function that is nobody's step."""
    ran.append("plain")
    return len(ran) if len(ran) >= 3 else 0


async def aplain_third() -> int:
    """The same."""
    return plain_third()


@workflow
def waits(name: str) -> list[Any]:
    """Of a step, of a function, of a lambda that calls a step."""
    found = [
        perdure.wait_for(partial(third, name), every=0.01),
        perdure.wait_for(lambda: third(f"{name} in a lambda"), every=0.01),
        perdure.wait_for(plain_third, every=0.01),
    ]
    replay()
    return found


@workflow
async def awaits(name: str) -> list[Any]:
    """The same."""
    found = [
        await perdure.wait_for(partial(athird, name), every=0.01),
        await perdure.wait_for(lambda: third(f"{name} in a lambda"), every=0.01),
        await perdure.wait_for(aplain_third, every=0.01),
    ]
    await areplay()
    return found


@pytest.mark.parametrize("function", [waits, awaits], ids=["sync", "async"])
def test_it_is_asked_until_it_is_so_and_no_answer_twice(function: Any) -> None:
    """Though the run leaves memory in every pause and at its end."""
    assert perdure.start(function, "a").result(PATIENCE_SECONDS) == ["a", "a in a lambda", 7]
    assert ran == ["a"] * 3 + ["a in a lambda"] * 3 + ["plain"]


@workflow
def gives_up() -> list[str]:
    """It is asked once more when the time is over, and that it was is recorded."""
    seen = []
    try:
        perdure.wait_for(partial(never, "own"), every=FAR, timeout=0.01)
    except WaitTimeoutError:
        seen.append("own")
    try:
        with perdure.timeout(0.01):
            perdure.wait_for(partial(never, "block"), every=FAR, timeout=FAR)
    except WaitTimeoutError:
        seen.append("block")
    replay()
    return seen


@workflow
async def agives_up() -> list[str]:
    """The same."""
    seen = []
    try:
        await perdure.wait_for(partial(never, "own"), every=FAR, timeout=0.01)
    except WaitTimeoutError:
        seen.append("own")
    try:
        async with perdure.timeout(0.01):
            await perdure.wait_for(partial(never, "block"), every=FAR, timeout=FAR)
    except WaitTimeoutError:
        seen.append("block")
    await areplay()
    return seen


@step
def never(name: str) -> bool:
    """Nothing comes of it."""
    ran.append(name)
    return False


@pytest.mark.parametrize("function", [gives_up, agives_up], ids=["sync", "async"])
def test_it_gives_up_in_time(function: Any) -> None:
    """Not an hour later, and at no replay again."""
    assert perdure.start(function).result(PATIENCE_SECONDS) == ["own", "block"]
    assert ran == ["own", "own", "block"]


@workflow
def long() -> bool:
    """The pause is an hour."""
    return bool(perdure.wait_for(partial(never, "long"), every=FAR))


def test_a_run_leaves_memory_in_a_long_pause(app: Perdure) -> None:
    """And can be cancelled there."""
    handle = perdure.start(long)
    until(lambda: state_of(app, handle.run_id) == "parked")
    assert ran == ["long"]
    assert handle.cancel()


@step
def failing() -> bool:
    """It cannot be said."""
    raise ValueError("cannot tell")


@workflow
def asks_in_vain() -> None:
    """The error is the condition's."""
    perdure.wait_for(failing)


def test_an_error_of_the_condition_is_raised() -> None:
    """It is no answer."""
    with pytest.raises(ValueError, match="cannot tell"):
        perdure.start(asks_in_vain).result(PATIENCE_SECONDS)


def test_outside_runs_it_is_a_plain_loop() -> None:
    """On a thread and on an event loop."""
    assert perdure.wait_for(partial(third, "outside"), every=0.001) == "outside"
    with pytest.raises(WaitTimeoutError):
        perdure.wait_for(lambda: False, every=FAR, timeout=0.001)

    async def main() -> str:
        with pytest.raises(WaitTimeoutError):
            await perdure.wait_for(lambda: False, every=FAR, timeout=0.001)
        return await perdure.wait_for(partial(athird, "on a loop"), every=0.001)

    assert asyncio.run(main()) == "on a loop"


@pytest.mark.parametrize(
    ("told", "call"),
    [
        ("give a function to call", lambda: perdure.wait_for(7)),  # type: ignore[call-overload]
        ("every=0", lambda: perdure.wait_for(plain_third, every=0)),
        ("timeout='soon'", lambda: perdure.wait_for(plain_third, timeout="soon")),  # type: ignore[call-overload]
        ("aplain_third is async", lambda: perdure.wait_for(aplain_third)),
    ],
)
def test_bad_input_is_refused_where_it_is_given(told: str, call: Any) -> None:
    """Before the condition is asked."""
    with pytest.raises(UsageError, match=told):
        call()
    assert ran == []
