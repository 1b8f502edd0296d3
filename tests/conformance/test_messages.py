"""`send`, `send_many` and `recv`: first in, first out, never lost, never twice, whatever the receiver does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

import perdure
from perdure import (
    Perdure,
    RunNotFoundError,
    WaitTimeoutError,
    recv,
    send,
    send_many,
    step,
    workflow,
)
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, await_signal, ran, replay, signals, state_of, until

pytestmark = pytest.mark.usefixtures("app")


@perdure.register
@dataclass(frozen=True)
class Order:
    """A value of a type of one's own."""

    number: int


@workflow
def take(count: int, topic: str) -> list[Any]:
    """Receives so many, and then all of it again on replay."""
    got = [recv(topic) for _ in range(count)]
    replay()
    return got


@workflow
async def atake(count: int, topic: str) -> list[Any]:
    """The same, async."""
    got = [await recv(topic) for _ in range(count)]
    await areplay()
    return got


TAKERS = pytest.mark.parametrize("taker", [take, atake], ids=["sync", "async"])


@TAKERS
def test_messages_come_in_the_order_in_which_they_were_sent(taker: Any) -> None:
    """By topic; None is a message like any other."""
    handle = perdure.start(taker, 4, "a")
    for value in (1, None, Order(3), "four"):
        send(handle, value, topic="a")
        send(handle, "not asked for", topic="b")
    assert handle.result(PATIENCE_SECONDS) == [1, None, Order(3), "four"]


@TAKERS
def test_a_parked_run_is_woken_by_its_message(app: Perdure, taker: Any) -> None:
    """It has left memory, and comes back for it."""
    handle = perdure.start(taker, 2, "a")
    for value in ("first", "second"):
        until(lambda: state_of(app, handle.run_id) == "parked")
        send(handle.run_id, value, topic="a")
    assert handle.result(PATIENCE_SECONDS) == ["first", "second"]


@step
def wait_for(name: str) -> None:
    """A body that the test lets end."""
    ran.append(name)
    await_signal(name)


@workflow
def busy_first(name: str) -> object:
    """It is held by a step when the message comes, and has not asked for any."""
    wait_for(name)
    return recv("a")


def test_a_message_that_comes_before_anybody_waits_is_kept() -> None:
    """While the run is held, and its code is somewhere else."""
    handle = perdure.start(busy_first, "busy")
    until(lambda: "busy" in ran)
    send(handle, "early", topic="a")
    signals["busy"].set()
    assert handle.result(PATIENCE_SECONDS) == "early"


def test_a_message_to_a_run_that_has_not_begun_is_kept(app: Perdure) -> None:
    """It is delayed, and finds its message when it begins."""
    delayed = perdure.Queue("messages, delayed").with_options(delay=0.3).submit(take, 1, "a")
    send(delayed, "early", topic="a")
    assert delayed.result(PATIENCE_SECONDS) == ["early"]


@workflow
def in_time(seconds: float) -> list[Any]:
    """Once without and once with a default; the message comes for the third."""
    try:
        recv("a", timeout=seconds)
    except WaitTimeoutError as error:
        told = str(error)
    got = [told, recv("a", timeout=seconds, default=None)]
    signals["both were late"].set()
    got.append(recv("a", timeout=60, default="too late"))
    replay()
    return got


@workflow
async def ain_time(seconds: float) -> list[Any]:
    """The same, async."""
    try:
        await recv("a", timeout=seconds)
    except WaitTimeoutError as error:
        told = str(error)
    got = [told, await recv("a", timeout=seconds, default=None)]
    signals["both were late"].set()
    got.append(await recv("a", timeout=60, default="too late"))
    await areplay()
    return got


@pytest.mark.parametrize("receiver", [in_time, ain_time], ids=["sync", "async"])
def test_that_none_came_in_time_is_told_apart_from_none(receiver: Any) -> None:
    """By an error, or by the default; on replay too, though a message is there by then."""
    handle = perdure.start(receiver, 0.02)
    await_signal("both were late")
    send(handle, None, topic="a")
    assert handle.result(PATIENCE_SECONDS) == ["no message of topic 'a' came within 0.02 seconds", None, None]


@workflow
def limited() -> str:
    """The block's limit is reached while it receives."""
    try:
        with perdure.timeout(0.02):
            recv("a")
    except WaitTimeoutError:
        replay()
        return str(recv("a"))
    return "in time"


@workflow
async def alimited() -> str:
    """The same, async."""
    try:
        async with perdure.timeout(0.02):
            await recv("a")
    except WaitTimeoutError:
        await areplay()
        return str(await recv("a"))
    return "in time"


@pytest.mark.parametrize("receiver", [limited, alimited], ids=["sync", "async"])
def test_the_limit_of_a_block_ends_a_recv_and_loses_no_message(app: Perdure, receiver: Any) -> None:
    """What comes later is for the next one."""
    handle = perdure.start(receiver)
    until(lambda: state_of(app, handle.run_id) == "parked")
    send(handle, "the next", topic="a")
    assert handle.result(PATIENCE_SECONDS) in ("the next", "in time")


@workflow
async def competing(count: int) -> list[Any]:
    """Branches that wait for the same topic, and one that is cancelled."""

    async def one() -> Any:
        return await recv("a")

    given_up = asyncio.create_task(one())
    await asyncio.sleep(0)
    tasks = [asyncio.create_task(one()) for _ in range(count)]
    await asyncio.sleep(0)
    given_up.cancel()
    got = await asyncio.gather(*tasks)
    await areplay()
    return sorted(got)


def test_each_message_is_handed_to_one_branch() -> None:
    """Of all that wait for it; none goes to one that was cancelled."""
    handle = perdure.start(competing, 5)
    for number in range(5):
        send(handle, number, topic="a")
    assert handle.result(PATIENCE_SECONDS) == [0, 1, 2, 3, 4]


@workflow
def threads_compete(count: int) -> list[Any]:
    """The same in threads."""
    with perdure.threads(4) as pool:
        got = [future.result() for future in [pool.submit(recv, "a") for _ in range(count)]]
    return sorted(got)


def test_each_message_is_handed_to_one_thread() -> None:
    """And none is left over."""
    handle = perdure.start(threads_compete, 6)
    send_many([(handle, number, "a") for number in range(6)])
    assert handle.result(PATIENCE_SECONDS) == list(range(6))


@workflow
def send_to(run_id: str, values: list[Any]) -> str:
    """Sends from a run, and once more on replay, to its receiver and to nobody."""
    for value in values:
        send(run_id, value, topic="a")
    try:
        send("nobody", 1)
    except RunNotFoundError as error:
        told = error.run_id
    replay()
    return told


@workflow
async def asend_to(run_id: str, values: list[Any]) -> str:
    """The same, async."""
    for value in values:
        await send(run_id, value, topic="a")
    try:
        await send("nobody", 1)
    except RunNotFoundError as error:
        told = error.run_id
    await areplay()
    return told


@TAKERS
@pytest.mark.parametrize("sender", [send_to, asend_to], ids=["sync", "async"])
def test_a_run_sends_once_however_often_it_is_replayed(taker: Any, sender: Any) -> None:
    """The receiver gets each once, in order; the answer that there is no such run is recorded too."""
    handle = perdure.start(taker, 4, "a")
    assert perdure.start(sender, handle.run_id, [1, 2, 3]).result(PATIENCE_SECONDS) == "nobody"
    send(handle, "the last", topic="a")
    assert handle.result(PATIENCE_SECONDS) == [1, 2, 3, "the last"]


@workflow
async def ping_pong(rounds: int) -> list[Any]:
    """A parent and its child answer each other."""
    child = await perdure.astart(pong, perdure.current().run_id, rounds)
    got = []
    for number in range(rounds):
        await send(child, number)
        got.append(await recv())
    await child
    return got


@workflow
def pong(parent: str, rounds: int) -> None:
    """Doubles what it gets."""
    for _ in range(rounds):
        send(parent, 2 * recv())


def test_runs_talk_to_each_other() -> None:
    """Both park between two messages."""
    assert perdure.start(ping_pong, 5).result(PATIENCE_SECONDS) == [0, 2, 4, 6, 8]
