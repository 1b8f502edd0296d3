"""Compensation: what a run has done is undone, in reverse, when it fails or is cancelled."""

from __future__ import annotations

import functools
from typing import Any

import pytest

import perdure
from perdure import Retry, RunCancelledError, UndoFailedError, UsageError, start, step, undo, with_options, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import areplay, await_signal, ran, replay, signals, state_of, until

running = functools.partial(perdure.running, **SETTINGS)


@step(retries=Retry(attempts=2, initial_seconds=0))
def give_back(name: str, outcome: str) -> None:
    """Its first attempt fails."""
    ran.append(f"{name} back, was {outcome}")
    if name == "never":
        raise ConnectionError("the bank is closed")


@step(undo=give_back)
def take(name: str) -> str:
    """It succeeds, unless it is told otherwise."""
    ran.append(f"{name} taken")
    if name == "refused":
        raise ValueError(name)
    return name.upper()


async def agive_back(name: str) -> None:
    """A plain function, which asks for no outcome."""
    ran.append(f"{name} back")


@step(undo=agive_back)
async def atake(name: str) -> str:
    """The async twin."""
    ran.append(f"{name} taken")
    return name.upper()


@step
def note(text: str) -> None:
    """What a workflow says itself."""
    ran.append(text)
    signals[text].set()


@step
def hold(name: str) -> None:
    """An undo that takes a while."""
    ran.append(name)
    signals[f"{name} began"].set()
    await_signal(name)


@workflow
def fails(*names: str) -> None:
    """Effects, a replay, and an error."""
    for name in names:
        undo(note, f"{name} noted")
        take(name)
    replay()
    raise RuntimeError("no room")


@workflow
async def afails() -> None:
    """The same, async, with a sync step among them."""
    await atake("first")
    take("second")
    undo(note, "noted")
    await areplay()
    raise RuntimeError("no room")


@workflow
def succeeds() -> str:
    """Nothing is to be undone in the end."""
    undo(note, "noted")
    return take("kept")


@workflow
def waits(name: str) -> None:
    """An effect, and then it sleeps, or waits in a body."""
    take("one")
    if name == "body":
        hold("body")
    perdure.sleep(3600)


@workflow
async def awaits(name: str) -> None:
    """The async twin."""
    await atake("one")
    await perdure.sleep(3600)


def undone_of(run_id: str) -> Any:
    """What the undoer gives."""
    return perdure.handle(f"{run_id}:undo").result(30)


def names_of(undone: list[str]) -> list[str]:
    """Without the module."""
    return [name.rpartition(":")[2] for name in undone]


def test_what_a_failed_run_has_done_is_undone_in_reverse(app: perdure.Perdure) -> None:
    """Temporal's sagas, Restate's: the last first; each is told what its step got and gave."""
    with pytest.raises(RuntimeError, match="no room"):
        with_options(id="failed").start(fails, "a", "b").result(30)
    assert names_of(undone_of("failed")) == ["give_back", "note", "give_back", "note"]
    assert ran == ["a taken", "b taken", "b back, was B", "b noted", "a back, was A", "a noted"]


def test_an_async_run_is_undone_alike(app: perdure.Perdure) -> None:
    """Steps of both kinds; an undo that wants no outcome gets none."""
    with pytest.raises(RuntimeError):
        with_options(id="async").start(afails).result(30)
    assert names_of(undone_of("async")) == ["note", "give_back", "agive_back"]
    assert ran[2:] == ["noted", "second back, was SECOND", "first back"]


def test_a_step_that_failed_is_not_undone_and_what_was_said_before_it_is(app: perdure.Perdure) -> None:
    """It gave nothing; who wants it undone all the same says so before it."""
    with pytest.raises(ValueError, match="refused"):
        with_options(id="refused").start(fails, "refused").result(30)
    undone_of("refused")
    assert ran == ["refused taken", "refused noted"]


def test_what_succeeds_is_not_undone(app: perdure.Perdure) -> None:
    """And the run that would undo it ends."""
    assert with_options(id="succeeded").start(succeeds).result(30) == "KEPT"
    assert undone_of("succeeded") == []
    assert ran == ["kept taken"]


def test_what_cannot_be_undone_stops_no_other_and_is_told(app: perdure.Perdure) -> None:
    """Its retries are its own; people find the run that undoes as failed."""
    with pytest.raises(RuntimeError):
        with_options(id="partly").start(fails, "a", "never", "b").result(30)
    with pytest.raises(UndoFailedError, match=r"1 of 6 .* run partly .*ConnectionError: the bank is closed"):
        undone_of("partly")
    backs = [line for line in ran if " back" in line]
    assert backs == ["b back, was B", "never back, was NEVER", "never back, was NEVER", "a back, was A"]


@pytest.mark.parametrize("function", [waits, awaits], ids=lambda function: function.__name__)
@pytest.mark.parametrize("where", ["parked", "body"])
def test_a_cancelled_run_is_undone(app: perdure.Perdure, function: Any, where: str) -> None:
    """Wherever it was: in memory, in a body, or nowhere but in the database."""
    run_id = f"{function.__name__} {where}"
    handle = with_options(id=run_id).start(function, where)
    if where == "body" and function is waits:
        await_signal("body began")
    else:
        until(lambda: state_of(app, run_id) == "parked")
    assert handle.cancel()
    signals["body"].set()
    with pytest.raises(RunCancelledError):
        handle.result(30)
    assert len(undone_of(run_id)) == 1
    assert [line for line in ran if line != "body"] == [
        "one taken",
        "one back" if function is awaits else "one back, was ONE",
    ]


@workflow
def fails_slowly() -> None:
    """The undo in the middle is cut off."""
    undo(note, "last")
    undo(hold, "middle")
    undo(note, "first")
    raise RuntimeError


def test_a_crash_in_the_middle_goes_on_and_undoes_nothing_twice(url: str) -> None:
    """What is recorded as undone is done; the one that was cut off runs again."""
    with running(url) as app:
        with pytest.raises(RuntimeError):
            with_options(id="cut").start(fails_slowly).result(30)
        await_signal("middle began")
        app.shutdown(0)
    signals["middle"].set()
    with running(url):
        assert names_of(undone_of("cut")) == ["note", "hold", "note"]
    assert ran in (["first", "middle", "middle", "last"], ["first", "middle", "last"])


def test_what_cannot_undo_is_refused_where_it_is_named(app: perdure.Perdure) -> None:
    """At the decorator, and at the call."""

    def takes_more(name: str, amount: int) -> None:
        """It takes more than the step has."""

    for options, told in (
        ({"undo": fails}, "not a workflow"),
        ({"undo": "it"}, "give a function or a step"),
        ({"undo": takes_more}, "does not take them"),
    ):

        def body(name: str) -> None:
            """Never registered."""

        with pytest.raises(UsageError, match=told):
            step(name="undo:refused", **options)(body)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="is for workflows"):
        undo(note, "outside")
    with pytest.raises(UsageError, match="give a function with @step"):
        start(says_what_is_none).result(30)
    for taken in ("trip:undo", "trip:undo:2"):  # who undoes would not be made, and nobody would say so
        with pytest.raises(UsageError, match="which undoes what another one has done"):
            with_options(id=taken)


@workflow
def says_what_is_none() -> None:
    """No other process could find it."""
    undo(print, "it")
