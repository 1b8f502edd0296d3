"""What an event loop does beside the run's own code: callbacks, and blocking calls that would stop it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest

import perdure
from perdure import step, workflow
from tests.conformance.ledger import ran

pytestmark = pytest.mark.usefixtures("sqlite_app")


@step
async def awork(name: str) -> str:
    """It leaves a line."""
    ran.append(name)
    return name


@workflow
async def calls_from_callbacks(kind: str) -> list[str]:
    """A task that a callback of the loop makes, and a task of that task."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[asyncio.Task[list[str]]] = loop.create_future()

    async def inner() -> list[str]:
        await asyncio.sleep(0)
        return [await awork("callback")] if kind == "durable" else ["of a library"]

    async def outer() -> list[str]:
        return await asyncio.create_task(inner())

    loop.call_later(0, lambda: made.set_result(loop.create_task(outer())))
    return await (await made)


@workflow
async def steps_from_callbacks() -> None:
    """The task that a callback makes begins with a durable call."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[asyncio.Task[str]] = loop.create_future()

    async def outer() -> str:
        return await awork("callback")

    loop.call_later(0, lambda: made.set_result(loop.create_task(outer())))
    await (await made)


LOOPS = ["stock", *(["eager"] if sys.version_info >= (3, 12) else [])]


async def on_loop(kind: str, program: Coroutine[Any, Any, Any]) -> Any:
    """On a loop whose tasks begin later, or at once."""
    if kind == "eager":
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
    return await program


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "program", [steps_from_callbacks, partial(calls_from_callbacks, "durable")], ids=["at once", "in a task of it"]
)
def test_a_durable_call_in_a_task_that_a_callback_made_is_refused(loop: str, program: Any) -> None:
    """When a callback runs is no part of the program: no replay could number its tasks alike."""
    with pytest.raises(perdure.LineageError, match="callback"):
        asyncio.run(on_loop(loop, program()))
    assert ran == []


@pytest.mark.parametrize("loop", LOOPS)
def test_a_callback_may_make_tasks_that_call_nothing_durable(loop: str) -> None:
    """Libraries do that for themselves."""
    assert asyncio.run(on_loop(loop, calls_from_callbacks("harmless"))) == ["of a library"]


@step(retries=2)
def retried_in_a_loop() -> None:
    """Its pauses would stop the loop."""
    ran.append("body")
    raise OSError


@workflow
async def pauses_on_the_loop() -> None:
    """A sync step with pauses."""
    retried_in_a_loop()


def test_a_sync_step_that_would_pause_an_async_workflow_is_refused() -> None:
    """Every other run on the loop would stand still meanwhile; refused before its body runs, with the mend."""
    with pytest.raises(perdure.UsageError, match="async def"):
        asyncio.run(pauses_on_the_loop())
    assert ran == []


@step(retries=perdure.Retry(attempts=3, initial_seconds=0))
def retried_at_once() -> str:
    """It does not pause."""
    ran.append("body")
    if len(ran) < 3:
        raise OSError
    return "third"


@workflow
async def tries_again_at_once() -> str:
    """The same without pauses."""
    return retried_at_once()


def test_a_sync_step_that_is_tried_again_at_once_may_be_called_in_an_async_workflow() -> None:
    """It takes the loop for as long as its bodies do."""
    assert asyncio.run(tries_again_at_once()) == "third"
