"""`@step(at_most_once=True, reconcile=...)`: after a crash somebody is asked what became of the step."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

import perdure
from perdure import Retry, StepNotDoneError, UsageError, start, step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import areplay, await_signal, ran, replay, signals, until

running = functools.partial(perdure.running, **SETTINGS)

AT_ONCE = Retry(attempts=3, initial_seconds=0, on=ConnectionError)


def effect(name: str) -> str:
    """It is cut off after its effect, the first time."""
    ran.append(f"effect {perdure.idempotency_key()}")
    if not signals["cut off"].is_set():
        signals["began"].set()
        await_signal("cut off")
    return f"{name} done"


@step(retries=AT_ONCE)
def ask(name: str) -> str:
    """The other side answers at the second try."""
    ran.append(f"asked {perdure.idempotency_key()}")
    if len(ran) == 2:
        raise ConnectionError
    if name == "lost":
        raise StepNotDoneError
    if name == "refused":
        raise ValueError("it was refused")
    return f"{name} found"


@step(at_most_once=True, reconcile=ask)
def once(name: str) -> str:
    """A sync step."""
    return effect(name)


@step(at_most_once=True, reconcile=ask)
async def aonce(name: str) -> str:
    """An async one; what it asks is not."""
    return effect(name)


@workflow
def calls(name: str) -> list[str]:
    """The outcome of it, twice seen."""
    try:
        found = once(name)
    except ValueError as error:
        found = str(error)
    replay()
    return [found]


@workflow
async def acalls(name: str) -> list[str]:
    """The same, async."""
    try:
        found = await aonce(name)
    except ValueError as error:
        found = str(error)
    await areplay()
    return [found]


@pytest.mark.parametrize(
    ("function", "name"),
    [(calls, "kept"), (acalls, "lost"), (acalls, "refused"), (once, "lost"), (aonce, "kept")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_is_asked_after_a_crash_is_the_steps_outcome(url: str, function: Any, name: str) -> None:
    """A value, an error, or that it did not happen: then the body runs. In a workflow, and as a run by itself."""
    with running(url) as app:
        perdure.with_options(id="r").start(function, name)
        await_signal("began")
        app.shutdown(0)
    signals["cut off"].set()
    with running(url):
        error = perdure.handle("r").exception(20)
        found = str(error) if error is not None else perdure.handle("r").result()
    wanted = {"kept": "kept found", "lost": "lost done", "refused": "it was refused"}[name]
    assert found in (wanted, [wanted])
    assert [line.split()[0] for line in ran] == ["effect", "asked", "asked"] + ["effect"] * (name == "lost")
    assert len({line.split()[1] for line in ran}) == 1, "all of it is about one effect"


def test_nothing_is_asked_where_nothing_was_cut_off(url: str) -> None:
    """Neither live nor on replay."""
    signals["cut off"].set()
    with running(url):
        assert start(calls, "whole").result(20) == ["whole done"]
        assert [line.split()[0] for line in ran] == ["effect"]


def test_a_question_that_is_cut_off_is_asked_again(url: str) -> None:
    """It changes nothing, so a second time is as good as the first."""
    signals["cut off"].clear()
    with running(url) as app:
        perdure.with_options(id="r").start(slow, "r")
        await_signal("began")
        app.shutdown(0)
    signals["cut off"].set()
    with running(url) as app:
        await_signal("asked")
        app.shutdown(0)
    signals["answer"].set()
    with running(url):
        assert perdure.handle("r").result(20) == "found"
    until(lambda: ran == [ran[0], "asked", "asked"])


def ask_slowly(name: str) -> str:
    """It takes a while."""
    ran.append("asked")
    signals["asked"].set()
    await_signal("answer")
    return "found"


@step(at_most_once=True, reconcile=ask_slowly)
def slow(name: str) -> str:
    """It is cut off."""
    return effect(name)


def takes_another(name: str, amount: int) -> str:
    """It takes more than the step has."""
    return name


async def asks_async(name: str) -> str:
    """It cannot be asked by a sync run."""
    return name


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"reconcile": ask}, "at_most_once=True"),
        ({"reconcile": once, "at_most_once": True}, "may be repeated"),
        ({"reconcile": calls, "at_most_once": True}, "plain function"),
        ({"reconcile": "ask", "at_most_once": True}, "give a function"),
        ({"reconcile": asks_async, "at_most_once": True}, "async and the step is not"),
        ({"reconcile": takes_another, "at_most_once": True}, "does not take them"),
    ],
)
def test_what_cannot_be_asked_is_refused_where_it_is_named(options: dict[str, Any], told: str) -> None:
    """Before anything is registered."""

    def body(name: str) -> str:
        return name

    decorate: Callable[..., Any] = step(name="reconciling:refused", **options)
    with pytest.raises(UsageError, match=told):
        decorate(body)
