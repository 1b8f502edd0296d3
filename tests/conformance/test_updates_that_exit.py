"""What an update raises that is no `Exception`: as in a step, it is told, or ends the attempt of the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import perdure
from perdure import RunDeadError, UpdateRefusedError, on_update, recv, send, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, await_signal, ran, signals, until

pytestmark = pytest.mark.usefixtures("app")


class OwnBaseError(BaseException):
    """As trio's and pytest's own."""


ERRORS: dict[str, Any] = {"exit": SystemExit, "ctrl-c": KeyboardInterrupt, "close": GeneratorExit, "own": OwnBaseError}


def raises(what: str, when: str) -> None:
    """Raises what it is told: the first time, always, or never. The body beside it ends while it does."""
    ran.append("asked")
    if when == "always" or (when == "once" and ran.count("asked") == 1):
        signals["body"].set()
        raise ERRORS[what]("no")


@step
def held() -> str:
    """A body beside it."""
    ran.append("body")
    await_signal("body")
    return "body"


@step
async def aheld() -> str:
    """On a loop; it lets nobody end it before its time."""
    ran.append("body")
    await asyncio.shield(asyncio.to_thread(await_signal, "body"))
    return "body"


def in_validator(done: list[str]) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
    """The validator raises."""
    return lambda what, _: done.append(what), raises


def in_function(done: list[str]) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
    """The function does, once the update is accepted."""

    def judged(what: str, when: str) -> None:
        raises(what, when)
        done.append(what)

    return judged, None


def in_coroutine(done: list[str]) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
    """The coroutine function does."""

    async def judged(what: str, when: str) -> None:
        await asyncio.sleep(0)
        raises(what, when)
        done.append(what)

    return judged, None


PLACES = {place.__name__: place for place in (in_validator, in_function, in_coroutine)}


@workflow
def asked(place: str) -> list[str]:
    """Beside a body in another branch."""
    done: list[str] = []
    fn, validate = PLACES[place](done)
    on_update("add", fn, validate=validate)
    with perdure.threads() as pool:
        body = pool.submit(held)
        recv("go")
        return [*done, body.result()]


@workflow
async def aasked(place: str) -> list[str]:
    """The same on a loop."""
    done: list[str] = []
    fn, validate = PLACES[place](done)
    on_update("add", fn, validate=validate)
    body = asyncio.create_task(aheld())
    await recv("go")
    return [*done, await body]


RAISED = pytest.mark.parametrize(
    ("function", "place"),
    [
        pytest.param(asked, "in_validator", id="sync validator"),
        pytest.param(asked, "in_function", id="sync function"),
        pytest.param(aasked, "in_validator", id="async validator"),
        pytest.param(aasked, "in_function", id="plain function"),
        pytest.param(aasked, "in_coroutine", id="coroutine function"),
    ],
)


@RAISED
@pytest.mark.parametrize("what", ["exit", "ctrl-c", pytest.param("close", marks=pytest.mark.long)])
def test_what_ends_the_program_ends_the_attempt_and_the_next_one_asks_again(
    function: Any, place: str, what: str
) -> None:
    """Nothing of the update is recorded then; what other branches have begun is, and replayed."""
    handle = perdure.start(function, place)
    until(lambda: "body" in ran)
    handle.update("add", what, "once", timeout=PATIENCE_SECONDS)
    send(handle, None, topic="go")
    assert handle.result(PATIENCE_SECONDS) == [what, "body"]
    assert ran.count("asked") >= 2  # a function is called again by a replay, too
    if function is asked:
        assert ran.count("body") == 1


@RAISED
@pytest.mark.parametrize("what", ["exit", pytest.param("ctrl-c", marks=pytest.mark.long)])
def test_a_run_whose_update_always_ends_the_program_is_dead_in_the_end(function: Any, place: str, what: str) -> None:
    """The attempts are charged: it is known whose doing that was."""
    handle = perdure.start(function, place)
    with ThreadPoolExecutor(1) as asking:
        asker = asking.submit(handle.update, "add", what, "always", timeout=PATIENCE_SECONDS)
        with pytest.raises(RunDeadError, match=r"sys\.exit" if what == "exit" else "no signal had come"):
            handle.result(60)
        assert isinstance(asker.exception(PATIENCE_SECONDS), perdure.PerdureError)
    assert ran.count("asked") >= 10  # the count starts anew when the body beside it is recorded


@RAISED
def test_any_other_error_is_told_to_whoever_asks(function: Any, place: str) -> None:
    """Also one that is no `Exception`; the run goes on, and does what it is asked next."""
    handle = perdure.start(function, place)
    expected = UpdateRefusedError if place == "in_validator" else OwnBaseError
    with pytest.raises(expected) as told:
        handle.update("add", "own", "always", timeout=PATIENCE_SECONDS)
    assert isinstance(told.value.__cause__ if place == "in_validator" else told.value, OwnBaseError)
    handle.update("add", "own", "never", timeout=PATIENCE_SECONDS)
    send(handle, None, topic="go")
    assert handle.result(PATIENCE_SECONDS) == ["own", "body"]


@step
def follows() -> None:
    """A step that follows."""
    ran.append("followed")


@workflow
async def beside() -> str:
    """Another run on the same loop."""
    await recv("end")
    follows()
    return "not disturbed"


@pytest.mark.parametrize("place", PLACES)
def test_an_update_that_ends_the_program_does_not_end_the_loop_of_the_others(place: str) -> None:
    """Its run alone is handed back."""

    async def on_one_loop() -> str:
        other = await perdure.astart(beside)
        handle = await perdure.astart(aasked, place)
        await handle.aupdate("add", "exit", "once", timeout=PATIENCE_SECONDS)
        await send(handle, None, topic="go")
        assert await handle == ["exit", "body"]
        await send(other, None, topic="end")
        return await other

    assert asyncio.run(asyncio.wait_for(on_one_loop(), 2 * PATIENCE_SECONDS)) == "not disturbed"
