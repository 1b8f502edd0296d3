"""`patched`: runs from before a change of the code go on by the old way, new ones by the new way, and each stays so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import perdure
from perdure import UsageError, patched, step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import PATIENCE_SECONDS, ran, replay, state_of, until
from tests.inside.functions import forget_functions


@step
def note(text: str) -> str:
    ran.append(text)
    return text


@step
async def anote(text: str) -> str:
    ran.append(text)
    return text


Deploy = Callable[[Callable[..., Any]], Callable[..., Any]]


@pytest.fixture
def deploy() -> Any:
    """Puts another function in the place of the workflow `patched`, as a deploy does."""

    def put(function: Callable[..., Any]) -> Callable[..., Any]:
        forget_functions("patched:run")
        return workflow(name="patched:run")(function)  # type: ignore[no-any-return, call-overload]

    yield put
    forget_functions("patched:run")


def after() -> str:
    first = note("new") + note("more") if patched("change") else note("old")
    end = note("end")
    replay()
    return first + end


def start_and_stop(url: str, function: Callable[..., Any], deploy: Deploy) -> None:
    """A run of it is parked, and the process shuts down."""
    with perdure.running(url, **SETTINGS) as app:
        perdure.with_options(id="r").start(deploy(function))
        until(lambda: state_of(app, "r") == "parked")


def old_way() -> None:
    note("old")
    perdure.sleep(0.3)
    note("end")


def both_ways() -> str:
    way = note("new") if patched("change") else note("old")
    perdure.sleep(0.3)
    note("end")
    again = "new" if patched("change") else "old"
    return f"{way} {again}"


def test_a_new_run_goes_by_the_change_and_stays_with_it(url: str, deploy: Deploy) -> None:
    """Also when it is replayed, by code that asks in more places."""
    with perdure.running(url, **SETTINGS):
        assert perdure.start(deploy(after)).result(PATIENCE_SECONDS) == "newmoreend"
    assert ran == ["new", "more", "end"]


def test_an_old_run_goes_on_by_the_old_way(url: str, deploy: Deploy) -> None:
    """For as long as it lives, wherever it asks."""
    start_and_stop(url, old_way, deploy)
    deploy(both_ways)
    with perdure.running(url, **SETTINGS):
        assert perdure.handle("r").result(PATIENCE_SECONDS) == "old old"
    assert ran == ["old", "end"]


def test_a_run_that_has_not_come_so_far_goes_by_the_change(url: str, deploy: Deploy) -> None:
    """What it has recorded is all from before the place of the change."""

    def first_alone() -> None:
        note("first")
        perdure.sleep(0.3)

    def changed() -> list[str]:
        note("first")
        perdure.sleep(0.3)
        ways = ["new" if patched("change") else "old"]
        replay()
        return [*ways, "new" if patched("change") else "old"]

    start_and_stop(url, first_alone, deploy)
    deploy(changed)
    with perdure.running(url, **SETTINGS):
        assert perdure.handle("r").result(PATIENCE_SECONDS) == ["new", "new"]
    assert ran == ["first"]


def test_a_loop_is_of_one_mind(url: str, deploy: Deploy) -> None:
    """A run that was in the middle of it when the code changed does all rounds as it began."""

    def old() -> None:
        for number in range(4):
            note(f"old {number}")
            perdure.sleep(0.1)

    def changed() -> int:
        for number in range(4):
            note(f"{'new' if patched('change') else 'old'} {number}")
            perdure.sleep(0.1)
        return len(ran)

    start_and_stop(url, old, deploy)
    run = deploy(changed)
    with perdure.running(url, **SETTINGS):
        perdure.handle("r").result(PATIENCE_SECONDS)
        assert perdure.start(run).result(PATIENCE_SECONDS) == 8
    assert ran == [*(f"old {number}" for number in range(4)), *(f"new {number}" for number in range(4))]


def test_the_question_may_go_when_no_old_run_is_left(url: str, deploy: Deploy) -> None:
    """The record of the answer is nobody's to ask for."""
    start_and_stop(url, both_ways, deploy)

    def new_way_alone() -> str:
        way = note("new")
        perdure.sleep(0.3)
        note("end")
        return way

    deploy(new_way_alone)
    with perdure.running(url, **SETTINGS):
        assert perdure.handle("r").result(PATIENCE_SECONDS) == "new"
    assert ran == ["new", "end"]


async def abefore() -> None:
    await asyncio.gather(anote("old"), anote("beside"))
    await perdure.sleep(0.3)


async def aafter() -> str:
    way = "new" if patched("change") else "old"
    await asyncio.gather(anote(way), anote("beside"))
    await perdure.sleep(0.3)
    return way


@pytest.mark.parametrize(("first", "way"), [(abefore, "old"), (aafter, "new")])
def test_in_async_code_it_is_the_same(url: str, deploy: Deploy, first: Callable[..., Any], way: str) -> None:
    """Without an await."""
    start_and_stop(url, first, deploy)
    deploy(aafter)
    with perdure.running(url, **SETTINGS):
        assert perdure.handle("r").result(PATIENCE_SECONDS) == way
    assert sorted(ran) == sorted([way, "beside"])


def test_it_is_for_workflows(sqlite_app: perdure.Perdure) -> None:
    """Elsewhere nothing is replayed."""
    with pytest.raises(UsageError, match="patched\\(\\) is for workflows"):
        patched("change")

    @step(name="patched in a step")
    def asks() -> None:
        patched("change")

    @workflow(name="asks in a step")
    def calls() -> None:
        asks()

    with pytest.raises(UsageError, match="patched\\(\\) is for workflows"):
        calls()
    with pytest.raises(UsageError, match="patched: name"):
        patched("")
