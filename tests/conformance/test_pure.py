"""Pure steps: recorded like all others, and what they may not do is refused."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

import perdure
from perdure import Retry, step, workflow
from tests.conformance.ledger import areplay, ran, replay

drawn = itertools.count()


@step(pure=True)
def draw(name: str) -> int:
    """Something else each time."""
    ran.append(name)
    return next(drawn)


@step(pure=True, retries=Retry(attempts=3, initial_seconds=0))
async def adraw(name: str) -> int:
    """The same, async, at the second attempt."""
    ran.append(name)
    if ran.count(name) == 1:
        raise ConnectionError
    return next(drawn)


@step
def act(told: int) -> int:
    """It may have effects."""
    ran.append(f"told {told}")
    return told


first_draws: list[int] = []


@workflow
def draws() -> list[int]:
    """In one branch."""
    values = [draw(f"{number}") for number in range(3)]
    first_draws.extend(values)
    act(values[-1])
    replay()
    return values


@workflow
async def adraws() -> list[int]:
    """In several; a sync one is called, too."""

    async def branch(name: str) -> int:
        return await adraw(name) + draw(f"sync {name}")

    values = await asyncio.gather(*(branch(f"{number}") for number in range(3)))
    first_draws.extend(values)
    act(values[-1])
    await areplay()
    return list(values)


@workflow
def calls(name: str) -> Any:
    """One of the steps below."""
    return globals()[name]()


@step(pure=True)
def starts() -> None:
    """A run."""
    perdure.start(draws)


@step(pure=True)
def sends() -> None:
    """A message."""
    perdure.send(perdure.current().run_id, 1)


@step(pure=True)
def streams() -> None:
    """A chunk."""
    perdure.stream("tokens").write(1)


@step(pure=True)
def saves() -> None:
    """A value."""
    perdure.save(1)


@step(pure=True)
def acts() -> None:
    """What another step does."""
    act(1)


@step(pure=True)
def draws_again() -> int:
    """A pure one in it is a plain call; progress is for people alone."""
    perdure.progress(1, 2)
    return draw("inner")


@workflow
def calls_pure() -> list[int]:
    """Somebody else's function."""
    return perdure.call("sorted", sorted, [2, 1], pure=True)


def test_pure_steps_are_recorded(app: perdure.Perdure) -> None:
    """What they gave first is what they give at every replay, and their bodies do not run again."""
    for program in (draws, adraws):
        ran.clear()
        first_draws.clear()
        values = perdure.start(program).result(20)
        assert first_draws == values * 2
        assert len(ran) == len(set(ran)) + (program is adraws) * 3
    assert perdure.start(draw, "alone").result(20) > 0
    assert calls_pure() == [1, 2]
    assert calls("draws_again") > 0


@pytest.mark.parametrize("name", ["starts", "sends", "streams", "saves", "acts"])
def test_an_effect_in_a_pure_step_is_refused(sqlite_app: perdure.Perdure, name: str) -> None:
    """Where Perdure sees it: with what to do."""
    with pytest.raises(perdure.UsageError, match=r"is pure, and .* is an effect: leave out pure=True"):
        calls(name)
    assert ran == []


def nothing() -> None:
    """To be decorated, or to undo that."""


def test_what_is_for_effects_is_refused_at_pure_steps() -> None:
    """Where it is given."""

    for options in ({"at_most_once": True}, {"undo": nothing}):
        with pytest.raises(perdure.UsageError, match="pure=True says that it has no effects"):
            step(pure=True, name="pure:refused", **options)(nothing)
    with pytest.raises(perdure.UsageError, match="give True or False"):
        step(pure="yes", name="pure:refused")(nothing)  # type: ignore[call-overload]
