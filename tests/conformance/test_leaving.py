"""What bodies give that end while their process leaves: recorded, and handed over in the next life."""

from __future__ import annotations

import asyncio
import functools
import threading

import perdure
from perdure import step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import await_signal, ran, signals, until

running = functools.partial(perdure.running, **SETTINGS)


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
