"""What a sender is told: keys, receivers that are not there, bad input; and from where it may send."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import perdure
from perdure import (
    Message,
    Perdure,
    RunEndedError,
    RunNotFoundError,
    SerializationError,
    UsageError,
    recv,
    send,
    send_many,
    step,
    workflow,
)
from tests.conformance.ledger import PATIENCE_SECONDS, replay, state_of, until
from tests.conformance.test_messages import Order, atake, take

pytestmark = pytest.mark.usefixtures("app")


def test_a_key_is_sent_once(app: Perdure) -> None:
    """Whoever sends it again, with whatever value: the first counts, also when it was received long ago."""
    handle = perdure.start(take, 2, "a")
    send(handle, "first", topic="a", key="k")
    send(handle, "again", topic="a", key="k")
    until(lambda: state_of(app, handle.run_id) == "parked")
    send(handle, "again", topic="a", key="k")
    send(handle, "other", topic="a", key="l")
    assert handle.result(PATIENCE_SECONDS) == ["first", "other"]
    send(handle, "again", topic="a", key="k")


def test_what_cannot_be_delivered_is_told_to_the_sender() -> None:
    """That there is no such run, and that it has ended."""
    with pytest.raises(RunNotFoundError, match="no such run in this database"):
        send("nobody", 1)
    handle = perdure.start(take, 0, "a")
    handle.result(PATIENCE_SECONDS)
    with pytest.raises(RunEndedError, match="has ended \\(succeeded\\)") as caught:
        send(handle, 1)
    assert (caught.value.run_id, caught.value.state) == (handle.run_id, "succeeded")


def test_send_many_sends_all_that_can_be_delivered() -> None:
    """And tells of the rest."""
    handle = perdure.start(take, 3, "a")
    with pytest.raises(ExceptionGroup, match="2 messages reached nobody; the others were sent") as caught:
        send_many([Message(handle, 1, "a"), ("nobody", 0), (handle, 2, "a"), ("no one", 0), (handle, 3, "a", "key")])
    assert [error.run_id for error in caught.value.exceptions] == ["nobody", "no one"]
    assert handle.result(PATIENCE_SECONDS) == [1, 2, 3]
    send_many([])


def test_nothing_is_sent_where_a_value_cannot_be_stored() -> None:
    """The mistake is told before anything happens."""
    handle = perdure.start(take, 1, "a")
    with pytest.raises(SerializationError):
        send_many([(handle, 1, "a"), (handle, object(), "a")])
    send(handle, "the only one", topic="a")
    assert handle.result(PATIENCE_SECONDS) == ["the only one"]


def test_messages_are_sent_from_an_event_loop() -> None:
    """Awaited in a coroutine; a sync function that the loop calls has sent when it returns."""
    handle = perdure.start(take, 3, "a")

    def from_sync_code() -> None:
        send(handle, 2, topic="a")

    async def main() -> None:
        await send(handle, 1, topic="a")
        from_sync_code()
        await send_many([(handle, 3, "a")])
        with pytest.raises(RunNotFoundError):
            await send("nobody", 1)

    asyncio.run(main())
    assert handle.result(PATIENCE_SECONDS) == [1, 2, 3]


@step
def sends_in_a_body(run_id: str) -> None:
    """A plain call, as everything in a body."""
    send(run_id, "from a step", topic="a", key=perdure.idempotency_key())


@workflow
def through_a_step(run_id: str) -> None:
    """Its body is recorded as a whole."""
    sends_in_a_body(run_id)
    replay()


def test_a_step_sends_too() -> None:
    """Under its idempotency key once, however often it is tried."""
    handle = perdure.start(take, 1, "a")
    perdure.start(through_a_step, handle.run_id).result(PATIENCE_SECONDS)
    assert handle.result(PATIENCE_SECONDS) == ["from a step"]


@workflow
def typed() -> list[Any]:
    """Asks for a type, and goes on after one that is wrong."""
    try:
        recv("a", type=Order)
    except SerializationError as error:
        told = str(error)
    return [told, recv("a", type=Order), recv("a", type=int | None)]


def test_a_message_of_another_type_is_an_error_and_received() -> None:
    """So that it does not stand in the way for ever."""
    handle = perdure.start(typed)
    send_many([(handle, "no order", "a"), (handle, Order(1), "a"), (handle, None, "a")])
    told, *got = handle.result(PATIENCE_SECONDS)
    assert "is a str, and recv was asked for" in told
    assert got == [Order(1), None]


def test_bad_input_is_refused_where_it_is_given() -> None:
    """Before anything happens."""
    handle = perdure.start(take, 0, "a")
    with pytest.raises(UsageError, match="received by a workflow"):
        recv()
    with pytest.raises(UsageError, match="send: topic"):
        send(handle, 1, topic="a\nb")
    with pytest.raises(UsageError, match="send: key"):
        send(handle, 1, key="")
    with pytest.raises(UsageError, match="send: run"):
        send(5, 1)  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(UsageError, match="send_many: give a list"):
        send_many(Message(handle, 1))
    with pytest.raises(UsageError, match="give perdure"):
        send_many([handle])  # type: ignore[list-item]  # as above
    with pytest.raises(UsageError, match="give a class"):
        recv(type=list[int])


def test_messages_of_many_senders_come_once_each_and_in_each_ones_order() -> None:
    """Threads outside, all at once, while the receiver parks and wakes."""
    senders, each = 4, 12
    handle = perdure.start(atake, senders * each, "a")

    async def one(name: int) -> None:
        for number in range(each):
            await send(handle, [name, number], topic="a")
            await asyncio.sleep(0)

    async def all_of_them() -> None:
        await asyncio.gather(*(one(name) for name in range(senders)))

    asyncio.run(all_of_them())
    got = handle.result(PATIENCE_SECONDS)
    for name in range(senders):
        assert [number for sender, number in got if sender == name] == list(range(each))
    assert len(got) == senders * each
