"""What a run's code does between two outcomes is the same live and on replay, also where its branches share memory.

Each program notes what it sees in a list and tells that to a step. The first launch ends after it; in the second the
arguments of that step, and of every other that was told what had been seen, must be the same.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.identity.execute import run_loop
from tests.identity.staging import PATIENCE_SECONDS, RUN_ID, begin, launched, look
from tests.identity.two_lives import BODIES, REACHED, endless, go_on, hold, let_go, quick
from tests.identity.two_lives import begin_anew as begin_anew  # a fixture


@perdure.step
async def slow(tag: str) -> str:
    BODIES[tag] += 1
    await asyncio.sleep(0.002)
    return tag


@perdure.step
def sync_quick(tag: str) -> str:
    BODIES[tag] += 1
    return tag


@perdure.step
async def told(tag: str, seen: list[str]) -> str:
    BODIES[f"told {tag}"] += 1
    await asyncio.sleep(0)
    return tag


@perdure.workflow
async def child(tag: str) -> str:
    return tag


async def one_branch_and_a_callback(seen: list[str]) -> None:
    loop = asyncio.get_running_loop()
    for number in range(3):
        loop.call_soon(seen.append, f"callback {number}")
        seen.append(await quick(f"q{number}"))
        loop.call_soon(loop.call_soon, seen.append, f"late callback {number}")
        seen.append(await slow(f"s{number}"))


async def one_branch_and_chains_of_callbacks(seen: list[str]) -> None:
    """As long as it takes until a step before is committed, and longer."""
    loop = asyncio.get_running_loop()

    def link(name: str, left: int) -> None:
        seen.append(f"{name} {left}")
        if left:
            loop.call_soon(link, name, left - 1)

    for length in (1, 2, 3, 5, 8, 900):
        link(f"chain of {length}", length)
        seen.append(await quick(f"q{length}"))
        link(f"late chain of {length}", length)
        seen.append(await slow(f"s{length}"))


async def one_branch_and_timers_that_are_over(seen: list[str]) -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(0, seen.append, "timer")
    seen.append(await quick("first"))
    await asyncio.sleep(0.05)  # that is committed
    loop.call_later(0, seen.append, "another timer")
    seen.append(await quick("second"))


async def one_branch_that_waits_and_a_callback(seen: list[str]) -> None:
    loop = asyncio.get_running_loop()
    handle = await perdure.astart(child, "c")
    loop.call_soon(seen.append, "before the child")
    seen.append(await handle)
    loop.call_soon(seen.append, "before it was slept")
    await perdure.sleep(0)
    seen.append("slept")
    loop.call_soon(seen.append, "before the named one")
    named = await perdure.with_options(id="named").astart(child, "n")
    seen.append(f"started {await named}")


async def workers_of_one_list(seen: list[str]) -> None:
    items = [f"i{number}" for number in range(7)]

    async def work(name: str) -> None:
        while items:
            item = items.pop(0)
            seen.append(f"{name} took {item}")
            await told(await (quick if len(items) % 2 else slow)(item), list(seen))

    await asyncio.gather(work("a"), work("b"), work("c"))


async def queue_and_sentinels(seen: list[str]) -> None:
    queue: asyncio.Queue[str | None] = asyncio.Queue(maxsize=2)

    async def produce() -> None:
        for number in range(5):
            await queue.put(await slow(f"p{number}"))
            seen.append(f"put {number}")
        for _ in range(2):
            await queue.put(None)

    async def consume(name: str) -> None:
        while (item := await queue.get()) is not None:
            seen.append(f"{name} got {item}")
            await quick(f"{name} {item}")

    async with asyncio.TaskGroup() as group:
        group.create_task(consume("a"))
        group.create_task(produce())
        group.create_task(consume("b"))


async def locked(seen: list[str]) -> None:
    lock, gate = asyncio.Lock(), asyncio.Semaphore(2)

    async def one(name: str) -> None:
        seen.append(f"{name} begins")
        async with gate:
            await slow(f"{name} inside")
            async with lock:
                seen.append(f"{name} locked")
                await told(name, list(seen))

    await asyncio.gather(*(one(f"b{number}") for number in range(5)))


async def background(seen: list[str]) -> None:
    async def run() -> None:
        seen.append("background begins")
        try:
            await endless("background")
        finally:
            seen.append("background ends")

    task = asyncio.create_task(run())
    try:
        seen.append(await quick("main"))
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    seen.append(await slow("after"))


async def failing_group(seen: list[str]) -> None:
    async def one(name: str) -> None:
        seen.append(f"{name} begins")
        try:
            await endless(name)
        finally:
            seen.append(f"{name} ends")
            await told(name, list(seen))

    for life in range(2):
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                for number in range(6):
                    group.create_task(one(f"{life}e{number}"))
                await quick(f"before {life}")
                raise ValueError("stop")


async def first_completed(seen: list[str]) -> None:
    tasks = {asyncio.create_task(slow(f"f{number}"), name=f"f{number}") for number in range(4)}
    while tasks:
        done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        seen.extend(sorted(task.get_name() for task in done))
        await told(seen[-1], list(seen))


async def no_await_before(seen: list[str]) -> None:
    async def one(name: str) -> None:
        seen.append(f"{name} begins")
        sync_quick(f"{name} sync")
        seen.append(await quick(name))
        asyncio.get_running_loop().call_soon(seen.append, f"{name} called back")

    made = [asyncio.create_task(one("a")), asyncio.create_task(one("b"))]
    seen.append(await quick("own"))
    seen.append(await quick("own again"))
    await asyncio.gather(*made)


async def future_between(seen: list[str]) -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        seen.append(f"waits for {await ready}")
        await told("waited", list(seen))

    async def give() -> None:
        ready.add_done_callback(lambda _: seen.append("called back"))
        ready.set_result(await quick("given"))
        seen.append("gave")
        await told("gave", list(seen))

    await asyncio.gather(wait(), give(), wait())


async def deep(seen: list[str]) -> None:
    async def one(name: str, depth: int) -> None:
        if depth:
            await asyncio.wait_for(asyncio.gather(asyncio.shield(asyncio.create_task(one(name, depth - 1)))), 60)
        else:
            await quick(name)
        seen.append(f"{name} {depth}")

    await asyncio.gather(*(one(f"d{number}", 12 - 3 * number) for number in range(5)))


async def many_turns(seen: list[str]) -> None:
    async def one(name: str, turns: int) -> None:
        await quick(name)
        for _ in range(turns):
            await asyncio.sleep(0)
        seen.append(name)

    await asyncio.gather(*(one(f"t{number}", 300 - 90 * number) for number in range(4)))


PROGRAMS: list[Callable[[list[str]], Coroutine[Any, Any, None]]] = [
    one_branch_and_a_callback,
    one_branch_and_chains_of_callbacks,
    one_branch_and_timers_that_are_over,
    one_branch_that_waits_and_a_callback,
    workers_of_one_list,
    queue_and_sentinels,
    locked,
    background,
    failing_group,
    first_completed,
    no_await_before,
    future_between,
    deep,
    many_turns,
]
CODE = {program.__name__: program for program in PROGRAMS}


@perdure.workflow
async def sharing(program: str) -> list[str]:
    seen: list[str] = []
    await CODE[program](seen)
    await told("all", list(seen))
    await hold(seen)
    return seen


each_program = pytest.mark.parametrize("program", list(CODE))


@each_program
def test_a_replay_sees_what_was_seen_live(program: str, store_url: str) -> None:
    """Whatever the branches have in common: lists, queues, locks, futures, callbacks, tasks that they cancel."""
    with launched(store_url):
        begin(sharing, program)
        assert REACHED.wait(PATIENCE_SECONDS)
    assert go_on(store_url)


@each_program
@pytest.mark.parametrize("kind", ["uvloop", "eager"])
def test_on_other_loops_too(program: str, kind: str, tmp_path: Path) -> None:
    """uvloop does not show what is ready; an eager task begins inside `create_task`."""
    if kind == "eager" and not hasattr(asyncio, "eager_task_factory"):
        pytest.skip("from Python 3.12 on")
    if kind == "uvloop" and CODE[program] is one_branch_and_chains_of_callbacks:
        pytest.skip("callbacks that take more than six passes are not seen there")
    url = str(tmp_path / "p.db")

    async def first() -> None:
        if kind == "eager":
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with perdure.running(url, shutdown_seconds=0.05):
            await perdure.with_options(id=RUN_ID).astart(sharing, program)
            while not REACHED.is_set():  # noqa: ASYNC110  # set by whichever thread runs the run
                await asyncio.sleep(0.001)

    async def second() -> None:
        let_go()
        if kind == "eager":
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with perdure.running(url, poll_seconds=0.05, replay_patience_seconds=10.0):
            for _ in range(int(PATIENCE_SECONDS / 0.01)):
                if (await asyncio.to_thread(look, url)).state in ("succeeded", "parked"):
                    break
                await asyncio.sleep(0.01)

    run_loop(first(), kind=kind if kind == "uvloop" else "stock")
    ran = Counter(BODIES)
    run_loop(second(), kind=kind if kind == "uvloop" else "stock")
    row = look(url)
    assert row.state == "succeeded", row.reason
    assert ran == BODIES
