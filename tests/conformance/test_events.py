"""`set_event`, `get_event` and `handle.events()`: what a run says, whoever asks for it, whenever."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

import perdure
from perdure import (
    Client,
    Perdure,
    RunEndedError,
    RunNotFoundError,
    SerializationError,
    UsageError,
    WaitTimeoutError,
    get_event,
    recv,
    send,
    set_event,
    step,
    workflow,
)
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, replay, state_of, until

pytestmark = pytest.mark.usefixtures("app")


@perdure.register
@dataclass(frozen=True)
class Price:
    """A value of a type of one's own."""

    cents: int


@workflow
def says(values: list[Any]) -> str:
    """Says one after the other when it is told to, and is replayed."""
    for value in values:
        recv("go")
        set_event("price", value)
    set_event("done", True)
    recv("end")
    replay()
    return "said"


@workflow
async def asays(values: list[Any]) -> str:
    """The same, async."""
    for value in values:
        await recv("go")
        set_event("price", value)
    set_event("done", True)
    await recv("end")
    await areplay()
    return "said"


SPEAKERS = pytest.mark.parametrize("speaker", [says, asays], ids=["sync", "async"])


@SPEAKERS
def test_an_event_is_read_while_the_run_goes_on_and_after(speaker: Any) -> None:
    """The last value counts, whatever it is; all of them by key; a replay says nothing again."""
    handle = perdure.start(speaker, [Price(1), None])
    assert handle.events() == {}
    send(handle, 1, topic="go")
    assert get_event(handle, "price", timeout=PATIENCE_SECONDS) == Price(1)
    send(handle, 2, topic="go")
    assert get_event(handle, "done", timeout=PATIENCE_SECONDS) is True
    assert handle.events() == {"price": None, "done": True}
    send(handle, 3, topic="end")
    assert handle.result(PATIENCE_SECONDS) == "said"
    assert get_event(handle.run_id, "price") is None
    assert handle.events() == {"price": None, "done": True}


def test_it_is_waited_for_on_an_event_loop() -> None:
    """Which goes on meanwhile."""

    async def main() -> tuple[Any, dict[str, Any]]:
        handle = await perdure.astart(asays, [Price(7)])
        asked = asyncio.create_task(later(handle))
        await send(handle, 1, topic="go")
        got = await asked
        await send(handle, 2, topic="end")
        await handle
        return got, await handle.aevents()

    async def later(handle: perdure.Handle[Any]) -> Any:
        return await get_event(handle, "price", timeout=PATIENCE_SECONDS)

    assert asyncio.run(main()) == (Price(7), {"price": Price(7), "done": True})


def test_one_that_does_not_come_in_time_is_told_apart_from_none() -> None:
    """By an error, or the default."""
    handle = perdure.start(says, [None])
    with pytest.raises(WaitTimeoutError, match="no event 'price' within"):
        get_event(handle, "price", timeout=0.01)
    assert get_event(handle, "price", timeout=0, default="none") == "none"
    send(handle, 1, topic="go")
    assert get_event(handle, "price", default="none") is None
    send(handle, 1, topic="end")
    handle.result(PATIENCE_SECONDS)


def test_one_that_will_never_come_is_an_error() -> None:
    """Where the run has ended, before or while somebody waits, and where there is none."""
    handle = perdure.start(says, [])
    send(handle, 1, topic="end")
    with pytest.raises(RunEndedError, match=r"ended \(succeeded\) and never set") as caught:
        get_event(handle, "price")
    assert (caught.value.run_id, caught.value.state) == (handle.run_id, "succeeded")
    assert get_event(handle, "price", default=3) == 3
    with pytest.raises(RunNotFoundError):
        get_event("nobody", "price", default=3)


@step
def asks_in_a_step(run_id: str) -> Any:
    """As outside."""
    return get_event(run_id, "price")


@workflow
def asks(run_id: str, timeout: float | None = None) -> Any:
    """Waits for another run's event, durably, and is replayed."""
    try:
        got = get_event(run_id, "price", timeout=timeout)
    except (RunEndedError, RunNotFoundError, WaitTimeoutError) as error:
        got = type(error).__name__
    replay()
    return got


@workflow
async def aasks(run_id: str, timeout: float | None = None) -> Any:  # noqa: ASYNC109  # it is handed on
    """The same, async."""
    try:
        got = await get_event(run_id, "price", timeout=timeout)
    except (RunEndedError, RunNotFoundError, WaitTimeoutError) as error:
        got = type(error).__name__
    await areplay()
    return got


ASKERS = pytest.mark.parametrize("asker", [asks, aasks], ids=["sync", "async"])


@ASKERS
def test_a_run_waits_for_the_event_of_another_one(app: Perdure, asker: Any) -> None:
    """It leaves memory, is woken by the event, and sees the same at every replay, whatever is said since."""
    speaker = perdure.start(says, [Price(1), Price(2)])
    waiting = perdure.start(asker, speaker.run_id)
    until(lambda: state_of(app, waiting.run_id) == "parked")
    send(speaker, 1, topic="go")
    assert waiting.result(PATIENCE_SECONDS) == Price(1)
    send(speaker, 1, topic="go")
    get_event(speaker, "done")
    assert perdure.start(asker, speaker.run_id).result(PATIENCE_SECONDS) == Price(2)
    send(speaker, 1, topic="end")
    speaker.result(PATIENCE_SECONDS)


@ASKERS
def test_a_run_is_told_that_it_waits_in_vain(app: Perdure, asker: Any) -> None:
    """When the other one ends, is none, or is late."""
    speaker = perdure.start(says, [])
    assert perdure.start(asker, speaker.run_id, 0.01).result(PATIENCE_SECONDS) == "WaitTimeoutError"
    waiting = perdure.start(asker, speaker.run_id)
    until(lambda: state_of(app, waiting.run_id) == "parked")
    send(speaker, 1, topic="end")
    assert waiting.result(PATIENCE_SECONDS) == "RunEndedError"
    assert perdure.start(asker, "nobody").result(PATIENCE_SECONDS) == "RunNotFoundError"


def test_a_client_reads_and_waits(app: Perdure) -> None:
    """It executes nothing."""
    with Client(app._find_url()) as client:
        run = perdure.start(says, [Price(4)])
        handle = client.handle(run.run_id)
        send(run, 1, topic="go")
        assert get_event(handle, "done", timeout=PATIENCE_SECONDS) is True
        assert handle.events() == {"price": Price(4), "done": True}
        send(run, 1, topic="end")
        assert handle.result(PATIENCE_SECONDS) == "said"


@workflow
def asks_for_all(run_id: str) -> Any:
    """All events of another run, recorded; and one in a step."""
    found = perdure.handle(run_id).events(), asks_in_a_step(run_id)
    replay()
    return found


def test_all_events_of_another_run_are_recorded_in_a_run() -> None:
    """As a step's outcome is."""
    speaker = perdure.start(says, [Price(1)])
    send(speaker, 1, topic="go")
    get_event(speaker, "done")
    events, price = perdure.start(asks_for_all, speaker.run_id).result(PATIENCE_SECONDS)
    assert (events["price"], price) == (Price(1), Price(1))
    send(speaker, 1, topic="end")
    speaker.result(PATIENCE_SECONDS)


def test_the_type_of_an_event_is_checked() -> None:
    """By whoever asks; and what cannot be asked is refused at once."""
    speaker = perdure.start(says, ["text"])
    send(speaker, 1, topic="go")
    assert get_event(speaker, "price", type=str) == "text"
    with pytest.raises(SerializationError, match="is a str, and get_event was asked for"):
        get_event(speaker, "price", type=int)
    for bad in ({"key": ""}, {"key": 3}, {"key": "k", "timeout": "soon"}, {"key": "k", "type": "int"}):
        with pytest.raises(UsageError):
            get_event(speaker, **bad)  # type: ignore[arg-type]  # what is refused
    send(speaker, 1, topic="end")
    speaker.result(PATIENCE_SECONDS)


@step
def says_in_a_step() -> None:
    """Is told where it belongs."""
    set_event("price", 1)


@workflow
def says_badly() -> list[str]:
    """Everything that is no event."""
    told = []
    for key, value in (("", 1), (7, 1), ("price", object())):
        try:
            set_event(key, value)  # type: ignore[arg-type]  # what is refused
        except (UsageError, SerializationError) as error:
            told.append(type(error).__name__)
    try:
        says_in_a_step()
    except UsageError as error:
        told.append(str(error)[:34])
    return told


def test_what_is_no_event_is_refused_where_it_is_set() -> None:
    """The run goes on as it likes."""
    told = perdure.start(says_badly).result(PATIENCE_SECONDS)
    assert told == ["UsageError", "UsageError", "SerializationError", "set_event() is for workflows: what"]
    with pytest.raises(UsageError, match="is for workflows"):
        set_event("price", 1)
