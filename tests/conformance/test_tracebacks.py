"""A traceback shows the frames of the user's code, and none of ours in between, live and at replay."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable

import pytest

import perdure
from perdure import call, start, step, workflow
from perdure._core.tracebacks import OURS
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, replay

pytestmark = pytest.mark.usefixtures("sqlite_app")


def deep() -> None:
    """Where it is raised."""
    raise LookupError("nothing there")


@step
def fails() -> None:
    """By way of another function."""
    deep()


@step
async def afails() -> None:
    """The same, async."""
    await asyncio.sleep(0)
    deep()


def seen_of(error: BaseException) -> list[str]:
    """The functions in the traceback, and whether one is of ours."""
    entries = traceback.extract_tb(error.__traceback__)
    assert [entry for entry in entries if entry.filename.startswith(OURS)] == []
    return [entry.name for entry in entries]


tracebacks: list[list[str]] = []


@workflow
def catches() -> str:
    """What the workflow sees, live and replayed."""
    try:
        fails()
    except LookupError as error:
        tracebacks.append(seen_of(error))
        text = "".join(traceback.format_exception(error))
    replay()
    return text


@workflow
async def acatches() -> str:
    """The same, async."""
    try:
        await afails()
    except LookupError as error:
        tracebacks.append(seen_of(error))
        text = "".join(traceback.format_exception(error))
    await areplay()
    return text


@pytest.mark.parametrize("run", [catches, lambda: asyncio.run(acatches())], ids=["sync", "async"])
def test_a_workflow_sees_its_own_frames_and_those_of_the_body(run: Callable[[], str]) -> None:
    """Live the frames themselves; at replay its own, and the recorded ones as text."""
    tracebacks.clear()
    text = run()
    live, replayed = tracebacks
    assert live[-1] == "deep"
    assert len(live) == 3
    assert replayed == live[:1]
    assert "in deep" in text
    assert OURS not in text


@workflow
def passes_on() -> None:
    """It catches nothing."""
    fails()


@workflow
async def apasses_on() -> None:
    """The same, async."""
    await afails()


@workflow
def has_child() -> None:
    """It calls another."""
    passes_on()


def started() -> None:
    """By a handle."""
    start(passes_on).result(PATIENCE_SECONDS)


async def awaited() -> None:
    """By a handle on a loop."""
    await start(apasses_on)


OUTSIDE: dict[str, Callable[[], object]] = {
    "plain": fails,
    "plain async": lambda: asyncio.run(afails()),
    "call": lambda: call("deep", deep),
    "called": passes_on,
    "called async": lambda: asyncio.run(apasses_on()),
    "with a child": has_child,
    "with an id": lambda: perdure.with_options(id="with an id").call(passes_on),
    "started": started,
    "awaited": lambda: asyncio.run(awaited()),
}


@pytest.mark.parametrize("way", OUTSIDE)
def test_who_runs_it_sees_no_frame_of_ours(way: str) -> None:
    """The text of what was recorded has none either."""
    with pytest.raises(LookupError) as raised:
        OUTSIDE[way]()
    seen_of(raised.value)
    text = "".join(traceback.format_exception(raised.value))
    assert "in deep" in text
    assert OURS not in text
