"""What bodies give that end while their process leaves: recorded, and handed over in the next life."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import Any

import perdure
from perdure import step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import await_signal, ran, signals, until


def running(url: str, **more: Any) -> Any:
    """An instance that leaves before long."""
    return perdure.running(url, **{**SETTINGS, **more})


@step
async def ahold(name: str) -> str:
    """It waits for the test."""
    ran.append(name)
    signals[f"{name} began"].set()
    await asyncio.to_thread(await_signal, name)
    return name


@workflow
async def says_what_came() -> list[str]:
    """What one branch says at once follows from an outcome; the other branch waits for another one."""

    async def says() -> str:
        left = await ahold("left")
        perdure.set_event("left", left)
        return left

    saying = asyncio.create_task(says())
    right = await ahold("right")
    return [await saying, right]


def test_what_follows_from_an_outcome_is_not_missed_behind_the_next_one(url: str) -> None:
    """No code reacts to an outcome any more in the life that ends: it takes no place among the others there."""
    with running(url) as app:
        perdure.with_options(id="r").start(says_what_came)
        await_signal("left began")
        await_signal("right began")
        assert app._runtime is not None
        run = app._runtime.held.active["r"]
        leaving = threading.Thread(target=app.shutdown)
        leaving.start()
        until(lambda: run.interruption is not None)
        handed_in = run.lane.appended
        signals["left"].set()
        until(lambda: run.lane.appended > handed_in)
        signals["right"].set()
        leaving.join()
    with running(url):
        assert perdure.handle("r").result(20) == ["left", "right"]
        assert perdure.handle("r").events() == {"left": "left"}
    assert sorted(ran) == ["left", "right"]


@workflow
def ends_when_told(name: str) -> str:
    """A child that waits for the test."""
    signals[f"{name} began"].set()
    await_signal(name)
    return name


@workflow
async def says_who_ended() -> list[str]:
    """Each branch says at once what follows from its child's end; the test may hold the loop."""

    async def says(child: perdure.Handle[str]) -> str:
        tag = await child
        perdure.set_event(tag, perdure.now().isoformat())
        return tag

    children = [await perdure.astart(ends_when_told, name) for name in ("left", "right")]
    return list(await asyncio.gather(*map(says, children)))


def test_ends_that_are_there_when_the_process_leaves_take_no_places(url: str) -> None:
    """Two waits are over in the same pass of the loop in which the run is let go of."""
    with running(url, park_after_seconds=60.0) as app:
        perdure.with_options(id="r").start(says_who_ended)
        await_signal("left began")
        await_signal("right began")
        assert app._runtime is not None
        run = app._runtime.held.active["r"]
        until(lambda: run.state.waits and len(run.state.waits) == 2)
        run.state.loop.call_soon_threadsafe(await_signal, "loop")
        for name in ("left", "right"):
            signals[name].set()
        until(lambda: list(app._runtime.held.active) == ["r"])
        until(lambda: len(run.children.ended) == 2)
        leaving = threading.Thread(target=app.shutdown)
        leaving.start()
        until(lambda: run.interruption is not None)
        signals["loop"].set()
        leaving.join()
    with running(url):
        assert perdure.handle("r").result(20) == ["left", "right"]
        assert set(perdure.handle("r").events()) == {"left", "right"}


@workflow
async def spins_beside_a_body() -> str:
    """While its code does not rest, no outcome is handed over."""
    body = asyncio.create_task(ahold("left"))
    while not signals["spun"].is_set():
        time.sleep(0.002)  # noqa: ASYNC251  # so few passes of the loop that none is handed over all the same
        await asyncio.sleep(0)
    return await body


def test_an_outcome_that_waits_for_its_turn_when_the_process_leaves_is_recorded(url: str) -> None:
    """The body has ended: it does not run again."""
    with running(url) as app:
        perdure.with_options(id="r").start(spins_beside_a_body)
        await_signal("left began")
        signals["left"].set()
        assert app._runtime is not None
        run = app._runtime.held.active["r"]
        until(lambda: run.state.gate is not None and run.state.gate._turns)
        leaving = threading.Thread(target=app.shutdown)
        leaving.start()
        until(lambda: run.interruption is not None)
        signals["spun"].set()
        leaving.join()
    with running(url):
        assert perdure.handle("r").result(20) == "left"
    assert ran == ["left"]


@step
def hold(name: str) -> str:
    """The same, sync."""
    ran.append(name)
    signals[f"{name} began"].set()
    await_signal(name)
    return name


@workflow
def is_updated() -> str:
    """Waits while it does what it is asked to."""
    perdure.on_update("do", hold)
    return str(perdure.recv())


def test_the_body_of_an_update_that_ends_while_the_process_leaves_is_recorded(url: str) -> None:
    """Though the run's first branch had nothing to wait for any more."""
    with running(url, park_after_seconds=60.0) as app:
        perdure.with_options(id="r").start(is_updated)
        asking = threading.Thread(target=ask_for_update, daemon=True)
        asking.start()
        await_signal("left began")
        assert app._runtime is not None
        run = app._runtime.held.active["r"]
        until(lambda: run.state.waits)
        leaving = threading.Thread(target=app.shutdown)
        leaving.start()
        until(lambda: run.interruption is not None and not run.state.waits)
        signals["left"].set()
        leaving.join()
    with running(url):
        perdure.send("r", "over")
        assert perdure.handle("r").result(20) == "over"
    assert ran == ["left"]


def ask_for_update() -> None:
    """Nobody hears the answer: the process leaves."""
    with suppress(perdure.PerdureError, perdure.RunInterrupted):
        perdure.handle("r").update("do", "left")


@workflow
async def waits_beside_a_body() -> str:
    """Its first branch waits for a message."""
    body = asyncio.create_task(ahold("left"))
    return str(await perdure.recv()) + await body


def test_a_body_ends_while_the_process_leaves_though_the_first_branch_waits(url: str) -> None:
    """It is not cancelled, and what it gives is recorded."""
    with running(url, park_after_seconds=60.0) as app:
        perdure.with_options(id="r").start(waits_beside_a_body)
        await_signal("left began")
        assert app._runtime is not None
        run = app._runtime.held.active["r"]
        until(lambda: run.state.waits)
        leaving = threading.Thread(target=app.shutdown)
        leaving.start()
        until(lambda: run.interruption is not None and not run.state.waits)
        signals["left"].set()
        leaving.join()
    with running(url):
        perdure.send("r", "over ")
        assert perdure.handle("r").result(20) == "over left"
    assert ran == ["left"]
