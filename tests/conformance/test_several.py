"""`as_completed`, `wait`, `first` and `timeout`: what ended first is recorded, and the slot is given back meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import perdure
from perdure import Perdure, Queue, WaitTimeoutError, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, await_signal, ran, replay, signals, state_of, until

pytestmark = pytest.mark.usefixtures("app")

wide = Queue("several, wide", worker_concurrency=8)
narrow = Queue("several, narrow", worker_concurrency=1)


@step
def held(name: str) -> str:
    """It ends when the test says so; from the second process on at once."""
    await_signal(name)
    ran.append(name)
    return name


@step
def passed(number: int) -> int:
    """It ends at once."""
    return number


@step
def failing(name: str) -> None:
    """It fails at once."""
    raise ValueError(name)


@step
def note(seen: list[str]) -> None:
    """What the run has seen so far, as a step: a replay that saw something else would differ."""
    if seen:
        signals[f"saw {seen[-1]}"].set()


@step
async def anote(seen: list[str]) -> None:
    """The same."""
    if seen:
        signals[f"saw {seen[-1]}"].set()


def let_end(*names: str) -> None:
    """The steps end in this order, each when the run has been told of the one before."""
    for name in names:
        signals[name].set()
        if not signals[f"saw {name}"].wait(PATIENCE_SECONDS):
            raise TimeoutError(name)


@workflow
def by_as_completed(names: list[str]) -> list[str]:
    """As everybody writes it."""
    seen: list[str] = []
    for handle in perdure.as_completed([wide.submit(held, name) for name in names]):
        seen.append(handle.result())
        note(seen)
    replay()
    note([])
    return seen


@workflow
async def aby_as_completed(names: list[str]) -> list[str]:
    """The same."""
    seen: list[str] = []
    async for handle in perdure.as_completed([await wide.asubmit(held, name) for name in names]):
        seen.append(await handle)
        await anote(seen)
    await areplay()
    await anote([])
    return seen


@workflow
def by_first(names: list[str]) -> list[str]:
    """One after the other."""
    left = [wide.submit(held, name) for name in names]
    seen: list[str] = []
    while left:
        ended = perdure.first(*left)
        left.remove(ended)
        seen.append(ended.result())
        note(seen)
    replay()
    note([])
    return seen


@workflow
async def aby_first(names: list[str]) -> list[str]:
    """The same."""
    left = [await wide.asubmit(held, name) for name in names]
    seen: list[str] = []
    while left:
        ended = await perdure.first(*left)
        left.remove(ended)
        seen.append(ended.result())
        await anote(seen)
    await areplay()
    await anote([])
    return seen


@workflow
def by_wait(names: list[str]) -> list[str]:
    """What is pending is waited for again."""
    pending = [wide.submit(held, name) for name in names]
    seen: list[str] = []
    while pending:
        done, pending = perdure.wait(pending, return_when="FIRST_COMPLETED")
        seen += [handle.result() for handle in done]
        note(seen)
    replay()
    note([])
    return seen


@workflow
async def aby_wait(names: list[str]) -> list[str]:
    """The same."""
    pending = [await wide.asubmit(held, name) for name in names]
    seen: list[str] = []
    while pending:
        done, pending = await perdure.wait(pending, return_when="FIRST_COMPLETED")
        seen += [await handle for handle in done]
        await anote(seen)
    await areplay()
    await anote([])
    return seen


@workflow
async def aby_tasks(names: list[str]) -> list[str]:
    """Tasks in the place of handles."""

    async def one(name: str) -> str:
        return await (await wide.asubmit(held, name))

    tasks = [asyncio.create_task(one(name)) for name in names]
    seen: list[str] = []
    async for task in perdure.as_completed(tasks):
        seen.append(task.result())
        await anote(seen)
    await areplay()
    await anote([])
    return seen


WAYS = [by_as_completed, aby_as_completed, by_first, aby_first, by_wait, aby_wait, aby_tasks]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_order_of_the_ends_is_seen_and_kept_by_a_replay(way: Callable[[list[str]], Any]) -> None:
    """The children ended in another order than they were made; at the replay they all have ended."""
    handle = perdure.start(way, ["a", "b", "c", "d"])
    let_end("c", "a", "d", "b")
    assert handle.result(PATIENCE_SECONDS) == ["c", "a", "d", "b"]
    assert sorted(ran) == ["a", "b", "c", "d"]


@workflow
def on_one_queue(way: str) -> int:
    """It stands on the queue that its children need."""
    handles = [narrow.submit(passed, number) for number in range(3)]
    if way == "as_completed":
        return sum(handle.result() for handle in perdure.as_completed(handles))
    if way == "wait":
        return sum(handle.result() for handle in perdure.wait(handles).done)
    return 3 * len([perdure.first(*handles)])


@workflow
async def aon_one_queue(way: str) -> int:
    """The same."""
    handles = [await narrow.asubmit(passed, number) for number in range(3)]
    if way == "as_completed":
        return sum([await handle async for handle in perdure.as_completed(handles)])
    if way == "wait":
        return sum([await handle for handle in (await perdure.wait(handles)).done])
    return 3 * len([await perdure.first(*handles)])


@pytest.mark.parametrize("way", ["as_completed", "wait", "first"])
@pytest.mark.parametrize("function", [on_one_queue, aon_one_queue], ids=lambda function: function.__name__)
def test_the_slot_is_given_back_meanwhile(function: Any, way: str) -> None:
    """A queue of one would stand still for ever."""
    assert narrow.submit(function, way).result(PATIENCE_SECONDS) == 3


@pytest.mark.parametrize("way", [by_as_completed, aby_as_completed], ids=lambda way: way.__name__)
def test_a_run_that_waits_for_several_leaves_memory_and_wakes(app: Perdure, way: Any) -> None:
    """By each of the ends."""
    handle = perdure.start(way, ["a", "b"])
    until(lambda: state_of(app, handle.run_id) == "parked")
    let_end("b")
    until(lambda: state_of(app, handle.run_id) == "parked")
    let_end("a")
    assert handle.result(PATIENCE_SECONDS) == ["b", "a"]


@workflow
def breaks_out() -> list[str]:
    """The others are left, and waited for one by one."""
    handles = [wide.submit(held, name) for name in "abc"]
    seen: list[str] = []
    for handle in perdure.as_completed(handles):
        seen.append(handle.result())
        note(seen)
        if len(seen) == 2:
            break
    replay()
    return seen + [handle.result() for handle in handles]


@workflow
async def abreaks_out() -> list[str]:
    """The same."""
    handles = [await wide.asubmit(held, name) for name in "abc"]
    seen: list[str] = []
    async for handle in perdure.as_completed(handles):
        seen.append(await handle)
        await anote(seen)
        if len(seen) == 2:
            break
    await areplay()
    return seen + [await handle for handle in handles]


@pytest.mark.parametrize("function", [breaks_out, abreaks_out], ids=lambda function: function.__name__)
def test_a_loop_may_be_left_early(app: Perdure, function: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is left behind."""
    handle = perdure.start(function)
    let_end("b", "c")
    until(lambda: state_of(app, handle.run_id) == "parked")
    signals["a"].set()
    assert handle.result(PATIENCE_SECONDS) == ["b", "c", "a", "b", "c"]
    assert "left" not in caplog.text


@workflow
def first_exception() -> list[list[str]]:
    """The failing one ends it."""
    handles = {wide.submit(held, "a"): "a", wide.submit(failing, "b"): "b"}
    waited = perdure.wait(handles, return_when="FIRST_EXCEPTION")
    replay()
    return [[handles[one] for one in part] for part in waited]


@workflow
async def afirst_exception() -> list[list[str]]:
    """The same."""
    handles = {await wide.asubmit(held, "a"): "a", await wide.asubmit(failing, "b"): "b"}
    waited = await perdure.wait(handles, return_when="FIRST_EXCEPTION")
    await areplay()
    return [[handles[one] for one in part] for part in waited]


@pytest.mark.parametrize("function", [first_exception, afirst_exception], ids=lambda function: function.__name__)
def test_wait_returns_with_the_first_error(function: Any) -> None:
    """And raises none."""
    assert perdure.start(function).result(PATIENCE_SECONDS) == [["b"], ["a"]]
    signals["a"].set()


def test_outside_runs_they_wait_for_handles() -> None:
    """As `concurrent.futures` does."""
    handles = [wide.submit(held, name) for name in "ab"]
    with pytest.raises(WaitTimeoutError):
        perdure.first(*handles, timeout=0.01)
    assert perdure.wait(handles, timeout=0.01) == ([], handles)
    signals["b"].set()
    assert perdure.first(*handles) is handles[1]
    assert perdure.wait(handles, return_when="FIRST_COMPLETED") == ([handles[1]], [handles[0]])
    signals["a"].set()
    assert [handle.result() for handle in perdure.as_completed(handles)][-1] in ("a", "b")
    assert perdure.wait(handles) == (handles, [])
    assert perdure.wait([]) == ([], [])


def test_outside_runs_they_are_awaited_on_a_loop() -> None:
    """As `asyncio` does, tasks too."""

    async def main() -> None:
        handles = [await wide.asubmit(held, name) for name in "ab"]
        with pytest.raises(WaitTimeoutError):
            await perdure.first(*handles, timeout=0.01)
        assert await perdure.wait(handles, timeout=0.01) == ([], handles)
        with pytest.raises(WaitTimeoutError):
            async with perdure.timeout(0.01):
                await handles[0]
        signals["b"].set()
        assert await perdure.first(*handles) is handles[1]
        task = asyncio.create_task(asyncio.sleep(0, "task"))
        assert (await perdure.first(handles[0], task)) is task
        signals["a"].set()
        assert len([handle async for handle in perdure.as_completed(handles)]) == 2
        assert len(asyncio.all_tasks()) <= 2

    asyncio.run(main())
