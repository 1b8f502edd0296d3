"""What a body raises to end the program, with no signal; errors that nobody can look at: none goes round for ever."""

from __future__ import annotations

import asyncio
import signal
from typing import Any, NoReturn

import pytest

import perdure
from perdure import RunDeadError, step, workflow
from perdure._engine.hosting.exits import is_own
from tests.conformance.ledger import ran

PATIENCE_SECONDS = 60
pytestmark = pytest.mark.usefixtures("app")


@step
def raises(kind: str) -> None:
    """Of its own accord."""
    ran.append(kind)
    raise ERRORS[kind]


@step
async def araises(kind: str) -> None:
    """On a loop."""
    ran.append(kind)
    raise ERRORS[kind]


@workflow
def calls_it(kind: str) -> None:
    """In a step."""
    raises(kind)


@workflow
async def acalls_it(kind: str) -> None:
    """In a step of a loop's run."""
    await araises(kind)


@workflow
def by_itself(kind: str) -> None:
    """In no step."""
    ran.append(kind)
    raise ERRORS[kind]


ERRORS: dict[str, Any] = {"ctrl-c": KeyboardInterrupt, "close": GeneratorExit}
FUNCTIONS = [raises, calls_it, araises, acalls_it, by_itself]


@pytest.mark.parametrize("kind", ["ctrl-c", pytest.param("close", marks=pytest.mark.long)])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_body_that_always_ends_the_program_by_itself_is_dead_in_the_end(function: Any, kind: str) -> None:
    """Uncharged it would begin again at once, for ever; the reason says what it did."""
    with pytest.raises(RunDeadError, match="no signal had come"):
        perdure.start(function, kind).result(PATIENCE_SECONDS)
    assert len(ran) == 10


def test_a_signal_is_told_from_a_raise() -> None:
    """On the main thread: in a call, between two instructions, in Python's own handler or in asyncio's."""

    def send() -> NoReturn:
        signal.raise_signal(signal.SIGINT)
        while True:
            pass

    def send_again(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as by_signal:
        send()
    before = signal.signal(signal.SIGINT, send_again)
    try:
        with pytest.raises(KeyboardInterrupt) as by_handler:
            send()
        assert not is_own(by_handler.value)
    finally:
        signal.signal(signal.SIGINT, before)
    with pytest.raises(KeyboardInterrupt) as raised:
        send_again()
    assert not is_own(by_signal.value)
    assert is_own(raised.value)


def test_a_coroutine_that_is_closed_is_told_from_a_raise() -> None:
    """Its `GeneratorExit` comes from outside."""
    seen: list[bool] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(0)
        except GeneratorExit as error:
            seen.append(is_own(error))
            raise

    coroutine = waits()
    coroutine.send(None)
    coroutine.close()
    assert seen == [False]


class Speechless(Exception):  # noqa: N818  # what it is about
    """Its message ends the program."""

    def __str__(self) -> NoReturn:
        raise KeyboardInterrupt


class Closed(Exception):  # noqa: N818
    """None of its attributes can be read."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise ValueError(name)


class Meta(type):
    """Of a class that no dict and no set can hold."""

    __hash__ = None  # type: ignore[assignment]


class Unhashable(Exception, metaclass=Meta):  # noqa: N818
    """See its class."""


class False_(Exception):  # noqa: N801, N818
    """Who asks whether it is there hears that it is not."""

    def __bool__(self) -> bool:
        return False


class Classless(Exception):  # noqa: N818
    """It does not even say what it is."""

    @property
    def __class__(self) -> Any:
        raise KeyboardInterrupt


ERRORS |= {kind.__name__: kind for kind in (Speechless, Closed, Unhashable, False_, Classless)}


@pytest.mark.parametrize("kind", ["Speechless", "Closed", "Unhashable", "False_", "Classless"])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_an_error_that_nobody_can_look_at_is_a_recorded_outcome(function: Any, kind: str, app: perdure.Perdure) -> None:
    """Once, like any other: its run has failed."""
    handle = perdure.start(function, kind)
    assert handle.exception(PATIENCE_SECONDS) is not None
    row = app._launched().store.runs.row(handle.run_id)
    assert row is not None
    assert row.state == "failed"
    assert ran == [kind]


def test_an_error_whose_cause_nobody_can_look_at_keeps_its_own_class() -> None:
    """Only what hangs on it is replaced."""
    error = perdure.start(chained).exception(PATIENCE_SECONDS)
    assert isinstance(error, LookupError)
    assert isinstance(error.__cause__, perdure.errors.RecordedError)


@step
def chained() -> None:
    """The cause is closed."""
    raise LookupError("found nothing") from Closed()
