"""Updates: what somebody asks a run to do is refused without a trace, or done once, at one place in its order."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from typing import Any

import pytest

import perdure
from perdure import (
    Perdure,
    UpdateRefusedError,
    WaitTimeoutError,
    on_query,
    on_update,
    recv,
    send,
    send_many,
    sleep,
    step,
    workflow,
)
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, await_signal, ran, replay, signals, state_of, until

pytestmark = pytest.mark.usefixtures("app")


@perdure.register
@dataclass(frozen=True)
class Line:
    """A type of one's own, that whoever asks has registered."""

    item: str
    count: int = 1


@step
def reserve(item: str) -> str:
    """An effect."""
    ran.append(item)
    return item.upper()


@step
async def areserve(item: str) -> str:
    """The same, async."""
    ran.append(item)
    return item.upper()


def no_bad(line: Line) -> None:
    """Refuses one thing."""
    if line.item == "bad":
        raise ValueError("nothing bad")


@workflow
def order(until_topic: str) -> list[str]:
    """Takes lines until it is told to close."""
    items: list[str] = []

    def add(line: Line) -> int:
        if line.item == "broken":
            raise LookupError("it is broken")
        items.append(reserve(line.item))
        return len(items)

    on_update("add", add, validate=no_bad)
    on_query("items", lambda: list(items))
    items.append(recv(until_topic))
    items.append(recv("end", timeout=60, default="in vain"))
    replay()
    return items[:-1]


@workflow
async def aorder(until_topic: str) -> list[str]:
    """The same, async; each update is a task."""
    items: list[str] = []

    async def add(line: Line) -> int:
        if line.item == "broken":
            raise LookupError("it is broken")
        items.append(await areserve(line.item))
        return len(items)

    on_update("add", add, validate=no_bad)
    on_query("items", lambda: list(items))
    items.append(await recv(until_topic))
    items.append(await recv("end", timeout=60, default="in vain"))
    await areplay()
    return items[:-1]


def close(handle: Any) -> None:
    """Let it come to its end."""
    send_many([(handle, "closed", "close"), (handle, "end", "end")])


ORDERS = pytest.mark.parametrize("function", [order, aorder], ids=["sync", "async"])


def kinds(app: Perdure, run_id: str) -> list[str]:
    """The kinds of what the run has recorded, but for pieces of its order log."""
    assert app._runtime is not None
    return [row.kind for row in app._runtime.store.runs.checkpoints(run_id) if row.kind != "order"]


@ORDERS
def test_an_update_is_done_once_and_its_place_stays(function: Any) -> None:
    """Between what the run itself does, live as on replay; what it gives is told."""
    handle = perdure.start(function, "close")
    assert handle.update("add", Line("a")) == 1
    assert handle.update("add", Line("b"), type=int) == 2
    send(handle, "closed", topic="close")
    until(lambda: handle.query("items") == ["A", "B", "closed"])
    assert handle.update("add", Line("c")) == 4
    send(handle, "end", topic="end")
    assert handle.result(PATIENCE_SECONDS) == ["A", "B", "closed", "C"]
    assert ran == ["a", "b", "c"]


@ORDERS
def test_a_refused_update_leaves_no_trace(app: Perdure, function: Any) -> None:
    """Whether its validator, its arguments or its name are to blame; the asker is told what."""
    handle = perdure.start(function, "close")
    with pytest.raises(UpdateRefusedError, match="nothing bad") as refused:
        handle.update("add", Line("bad"))
    assert isinstance(refused.value.__cause__, ValueError)
    assert (refused.value.name, refused.value.run_id) == ("add", handle.run_id)
    with pytest.raises(UpdateRefusedError, match="too many"):
        handle.update("add", Line("a"), Line("b"))
    with pytest.raises(UpdateRefusedError, match="no update 'remove'; it has 'add'"):
        handle.update("remove", 1)
    assert kinds(app, handle.run_id) == []
    assert handle.query("items") == []
    assert handle.update("add", Line("a")) == 1
    assert kinds(app, handle.run_id) == ["update", "step", "answer"]
    close(handle)
    assert handle.result(PATIENCE_SECONDS) == ["A", "closed"]


@ORDERS
def test_what_an_update_raises_is_its_outcome(function: Any) -> None:
    """The run goes on."""
    handle = perdure.start(function, "close")
    for _ in range(2):
        with pytest.raises(LookupError, match="it is broken"):
            handle.update("add", Line("broken"), key="once")
    close(handle)
    assert handle.result(PATIENCE_SECONDS) == ["closed"]


@ORDERS
def test_who_asks_again_under_the_same_key_is_told_the_same(function: Any) -> None:
    """Also when the run has ended, and by another handle; the first arguments count."""
    handle = perdure.start(function, "close")
    assert handle.update("add", Line("a"), key="k") == 1
    assert handle.update("add", Line("other"), key="k") == 1
    close(handle)
    assert handle.result(PATIENCE_SECONDS) == ["A", "closed"]
    assert perdure.handle(handle.run_id).update("add", Line("a"), key="k") == 1
    with pytest.raises(UpdateRefusedError):
        perdure.start(
            function,
            "close",
        ).update("add", Line("bad"), key="k")


@ORDERS
def test_an_update_wakes_a_parked_run(app: Perdure, function: Any) -> None:
    """It leaves memory again and again."""
    handle = perdure.start(function, "close")
    for number, item in enumerate("ab", 1):
        until(lambda: state_of(app, handle.run_id) == "parked")
        assert handle.update("add", Line(item)) == number
    close(handle)
    assert handle.result(PATIENCE_SECONDS) == ["A", "B", "closed"]
    assert ran == ["a", "b"]


@ORDERS
def test_a_query_of_a_paused_run_passes_by_what_was_sent_to_it(app: Perdure, function: Any) -> None:
    """Several branches of the replay find something new at once: it ends with the first of them."""
    handle = perdure.start(function, "close")
    assert handle.update("add", Line("a")) == 1
    assert perdure.runs.pause(handle.run_id)
    until(lambda: state_of(app, handle.run_id) == "parked")
    for item in "bcd":
        with pytest.raises(WaitTimeoutError):
            handle.update("add", Line(item), timeout=0.01)
    close(handle)
    for _ in range(5):
        assert handle.query("items", timeout=PATIENCE_SECONDS) == ["A"]
    assert perdure.runs.resume(handle.run_id)
    handle.result(PATIENCE_SECONDS)
    assert sorted(ran) == ["a", "b", "c", "d"]


@workflow
async def slow_updates() -> list[str]:
    """Its updates go on when its own code is done."""
    done: list[str] = []

    async def slow(name: str) -> str:
        await sleep(0.2)
        done.append(await areserve(name))
        return name

    on_update("slow", slow)
    await recv("go")
    return done


def test_a_run_waits_for_what_it_has_accepted() -> None:
    """Before it ends with a value."""
    handle = perdure.start(slow_updates)
    until(lambda: is_accepted(handle))
    send(handle, 1, topic="go")
    assert handle.result(PATIENCE_SECONDS) == ["A"]
    assert handle.update("slow", "a", key="a") == "a"
    assert ran == ["a"]


def is_accepted(handle: Any) -> bool:
    """Whether the update is, as who waits in vain is told."""
    try:
        handle.update("slow", "a", timeout=0.01, key="a")
    except WaitTimeoutError as error:
        return "which goes on" in str(error)
    return True


@workflow
async def at_once() -> list[str]:
    """Two updates beside each other, and a plain one."""
    told: list[str] = []
    gate = asyncio.Event()

    async def first() -> str:
        await gate.wait()
        told.append("first")
        return "first"

    def second() -> str:
        told.append("second")
        gate.set()
        return "second"

    on_update("first", first)
    on_update("second", second)
    await recv("go")
    await areplay()
    return told


def test_updates_of_an_async_run_go_on_beside_each_other() -> None:
    """Those that are coroutines; a plain one is done at its place."""

    async def ask() -> list[str]:
        handle = await perdure.astart(at_once)
        waiting = asyncio.create_task(handle.aupdate("first"))
        second = await handle.aupdate("second")
        answers = [await waiting, second]
        await send(handle, 1, topic="go")
        assert await handle == ["second", "first"]
        return answers

    assert asyncio.run(ask()) == ["first", "second"]


@workflow
def continues(rounds: int) -> int:
    """Goes on as a new one with the count that an update has left."""
    count = rounds

    def add() -> int:
        nonlocal count
        count += 1
        return count

    on_update("add", add)
    if recv("next") == "end":
        return count
    return perdure.continue_as_new(count)


def test_updates_reach_every_round_and_answers_outlast_it() -> None:
    """Of a run that continues as a new one."""
    handle = perdure.start(continues, 0)
    assert handle.update("add", key="one") == 1
    send(handle, 1, topic="next")
    assert handle.update("add", key="two") == 2
    assert handle.update("add", key="one") == 1
    send(handle, "end", topic="next")
    assert handle.result(PATIENCE_SECONDS) == 2


class Reserves:
    """A callable object."""

    async def __call__(self, item: str) -> str:
        return await areserve(item)


@workflow
async def does_all_kinds() -> None:
    """Updates that are done by a step as it is, by an object, and by a partial of it."""
    on_update("step", areserve)
    on_update("object", Reserves())
    on_update("partial", functools.partial(Reserves()))
    await recv("end")


@pytest.mark.parametrize("kind", ["step", "object", "partial"])
def test_whatever_is_awaited_does_an_update(kind: str) -> None:
    """No function need be written around it."""
    handle = perdure.start(does_all_kinds)
    assert handle.update(kind, "lamp") == "LAMP"
    send(handle, None, topic="end")
    handle.result(PATIENCE_SECONDS)


@step
def asks_in_step(run_id: str) -> int:
    """From a step, where it is a plain call."""
    return perdure.handle(run_id).update("add", Line("in a step"), key="of the step", type=int)


@workflow
def asks(run_id: str) -> list[Any]:
    """A workflow asks another one."""
    handle = perdure.handle(run_id)
    ran.append("asks")
    got = [handle.update("add", Line("x")), asks_in_step(run_id), handle.query("items")]
    try:
        handle.update("add", Line("bad"))
    except UpdateRefusedError as error:
        got.append(str(error.name))
    replay()
    return got


@workflow
async def aasks(run_id: str) -> list[Any]:
    """The same, async."""
    handle = perdure.handle(run_id)
    ran.append("asks")
    got = [await handle.aupdate("add", Line("x")), await handle.aquery("items")]
    await areplay()
    return got


def test_a_workflow_asks_another_one_once() -> None:
    """What it was told is recorded: its replay asks nothing."""
    handle = perdure.start(aorder, "close")
    assert perdure.start(asks, handle.run_id).result(PATIENCE_SECONDS) == [1, 2, ["X", "IN A STEP"], "add"]
    assert perdure.start(aasks, handle.run_id).result(PATIENCE_SECONDS) == [3, ["X", "IN A STEP", "X"]]
    assert ran.count("asks") == 4
    assert ran.count("x") == 2
    handle.cancel()


@step
def held_by(name: str) -> None:
    """A body that the test lets end."""
    ran.append(name)
    await_signal(name)


@workflow
def busy() -> list[str]:
    """At work in a step when it is asked."""
    seen: list[str] = []
    on_update("add", seen.append)
    on_query("seen", lambda: list(seen))
    held_by("body")
    seen.append("after")
    replay()
    return seen


def test_an_update_is_done_while_a_body_runs() -> None:
    """The run's own code is at rest then; what that does next sees it."""
    handle = perdure.start(busy)
    until(lambda: "body" in ran)
    handle.update("add", "while")
    assert handle.query("seen") == ["while"]
    signals["body"].set()
    assert handle.result(PATIENCE_SECONDS) == ["while", "after"]
