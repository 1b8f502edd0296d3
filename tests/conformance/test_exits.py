"""Errors that are no `Exception`: those of libraries are outcomes, those that end the program end the run's claim."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import perdure
from perdure import step, workflow
from tests.conformance.ledger import areplay, await_signal, ran, replay, signals, until

pytestmark = pytest.mark.usefixtures("app")


@step
def cleans_up() -> None:
    """A step that follows."""
    ran.append("cleaned")


@workflow
def interrupted_by_hand() -> str:
    """Ctrl-C at the first execution."""
    ran.append("workflow")
    cleans_up()
    if ran.count("workflow") == 1:
        raise KeyboardInterrupt
    return "went on"


def test_ctrl_c_releases_the_run_and_reaches_who_called() -> None:
    """Absurd and DBOS leave it pending: it goes on, with what it has recorded."""
    with pytest.raises(KeyboardInterrupt):
        interrupted_by_hand()
    until(lambda: ran.count("workflow") == 2)
    assert ran.count("cleaned") == 1


@step
def raises_base() -> None:
    """An error that is no `Exception`, and none that ends a process."""
    raise OwnBaseError("base")


class OwnBaseError(BaseException):
    """As trio's and pytest's own."""


@workflow
def base_error() -> None:
    """It passes through."""
    raises_base()


def test_an_error_that_is_no_exception_ends_the_run_too() -> None:
    """Temporal fails the task for ever on these (sdk-python); here the run fails and says why."""
    with pytest.raises(OwnBaseError, match="base"):
        base_error()


class CaughtBaseError(BaseException):
    """A library's own order to stop, such as trio's and gevent's."""


@step
def raises_once() -> None:
    """It must not be run again."""
    ran.append("raised")
    raise CaughtBaseError("stop")


@workflow
def catches_base() -> str:
    """It knows what to do about it, and so it must at the replay."""
    try:
        raises_once()
    except CaughtBaseError as error:
        seen = str(error)
    replay()
    return seen


@step
async def araises_once() -> None:
    """On a loop."""
    ran.append("raised")
    raise CaughtBaseError("stop")


@workflow
async def acatches_base() -> str:
    """The same."""
    try:
        await araises_once()
    except CaughtBaseError as error:
        seen = str(error)
    await areplay()
    return seen


@pytest.mark.parametrize("function", [catches_base, acatches_base], ids=["sync", "async"])
def test_an_error_that_is_no_exception_is_a_recorded_outcome_too(function: Any) -> None:
    """What the run's code can see and act upon is recorded, whatever its class."""
    assert perdure.start(function).result(20) == "stop"
    assert ran == ["raised"]


def test_a_handle_gives_an_error_that_is_no_exception() -> None:
    """And whoever publishes it goes on."""
    assert isinstance(perdure.start(base_error).exception(20), OwnBaseError)


@step
def interrupted_once() -> None:
    """Ctrl-C, or `sys.exit`, the first time."""
    ran.append("body")
    if ran.count("body") == 1:
        raise SystemExit(3) if "exit" in ran else KeyboardInterrupt


@workflow
def swallows_the_end() -> str:
    """It goes on as though it had not been told to stop."""
    try:
        interrupted_once()
    except (KeyboardInterrupt, SystemExit):
        ran.append("swallowed")
    cleans_up()
    return "went on"


@workflow
async def aswallows_the_end() -> str:
    """The same on a loop."""
    try:
        interrupted_once()
    except (KeyboardInterrupt, SystemExit):
        ran.append("swallowed")
    cleans_up()
    return "went on"


@pytest.mark.parametrize("kind", ["ctrl-c", "exit"])
@pytest.mark.parametrize("function", [swallows_the_end, aswallows_the_end], ids=["sync", "async"])
def test_nothing_follows_a_step_that_ended_the_program_but_the_next_attempt(function: Any, kind: str) -> None:
    """Its outcome is not recorded, so nothing that the run's code does with it may be."""
    ran.append(kind)
    assert perdure.start(function).result(20) == "went on"
    assert ran == [kind, "body", "swallowed", "body", "cleaned"]


@step
async def ainterrupted_once() -> None:
    """The same on a loop."""
    await asyncio.sleep(0)
    ran.append("body")
    if ran.count("body") == 1:
        raise SystemExit(3)


@workflow
async def exits_in_a_task(is_async: bool) -> str:
    """A branch beside the first one ends the program."""

    async def branch() -> None:
        await asyncio.sleep(0)
        if is_async:
            await ainterrupted_once()
        else:
            interrupted_once()

    await asyncio.gather(branch(), asyncio.sleep(0))
    return "went on"


@workflow
async def beside() -> str:
    """Another run on the same loop."""
    signals["beside began"].set()
    await asyncio.to_thread(await_signal, "beside")
    cleans_up()
    return "not disturbed"


@pytest.mark.parametrize("is_async", [False, True], ids=["sync step", "async step"])
def test_a_branch_that_ends_the_program_does_not_end_the_loop_of_the_others(is_async: bool) -> None:
    """A task that ends with `SystemExit` ends its loop; here the run alone is handed back."""
    ran.append("exit")
    other = perdure.start(beside)
    await_signal("beside began")
    assert perdure.start(exits_in_a_task, is_async).result(20) == "went on"
    signals["beside"].set()
    assert other.result(20) == "not disturbed"
    assert ran.count("body") == 2
