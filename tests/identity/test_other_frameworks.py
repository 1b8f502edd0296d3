"""Tasks that other frameworks make, in their own ways, are branches too; and what they know of the loop stays true."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.identity.staging import PATIENCE_SECONDS, RUN_ID, begin, launched, recorded_names
from tests.identity.two_lives import BODIES, REACHED, endless, go_on, hold, is_let_go, quick
from tests.identity.two_lives import begin_anew as begin_anew  # a fixture

anyio = pytest.importorskip("anyio")
has_eager_tasks = pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="from Python 3.12 on")


async def past_the_factory(make: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]) -> list[str]:
    """A task of somebody's own making, and tasks of its own."""

    async def one(name: str) -> list[str]:
        return [await quick(name), *await asyncio.gather(quick(f"{name} l"), quick(f"{name} r"))]

    made = [make(one("a")), make(one("b"))]
    own = await quick("own")
    return [own, *(tag for tags in [await task for task in made] for tag in tags)]


def eagerly(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """As LangGraph does."""
    factory: Any = asyncio.eager_task_factory  # type: ignore[attr-defined,unused-ignore]  # 3.12
    task: asyncio.Task[Any] = factory(asyncio.get_running_loop(), coroutine, context=contextvars.copy_context())
    return task


async def eager_past_the_factory() -> list[str]:
    return await past_the_factory(eagerly)


async def constructed() -> list[str]:
    return await past_the_factory(lambda coroutine: asyncio.Task(coroutine))


async def anyio_group() -> list[str]:
    found: list[str] = []

    async def one(name: str) -> None:
        found.append(await quick(name))

    async with anyio.create_task_group() as group:
        for name in "abc":
            group.start_soon(one, name)
        found.append(await quick("own"))
    return found


async def anyio_cancelled() -> list[str]:
    """What is cancelled cleans up durably, shielded, while anyio cancels again in every pass of the loop."""
    found: list[str] = []

    async def one(name: str) -> None:
        try:
            await endless(name)
        finally:
            with anyio.CancelScope(shield=True):
                found.append(await quick(f"clean up {name}"))

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(one, f"e{number}")
        await quick("own")
        group.cancel_scope.cancel()
    return sorted(found)


async def anyio_timed() -> list[str]:
    with anyio.move_on_after(0.03):
        await endless("late")
    with anyio.fail_after(60):
        return [await quick("in time")]


async def anyio_early() -> list[str]:
    """In the second life the timer goes off before its place, as in a crowded recovery; anyio cancels without end."""
    found: list[str] = []

    async def limited() -> None:
        with anyio.move_on_after(0.0 if is_let_go() else 0.3):
            await endless("late")
        found.append(await quick("late"))

    async with anyio.create_task_group() as group:
        group.start_soon(limited)
        for name in "abc":
            found.append(await quick(name))
    return found


CODE = {
    program.__name__: program
    for program in (eager_past_the_factory, constructed, anyio_group, anyio_cancelled, anyio_timed, anyio_early)
}


@perdure.workflow
async def foreign(program: str) -> list[str]:
    result = await CODE[program]()
    await hold()
    return result


@pytest.mark.parametrize("program", list(CODE))
def test_tasks_of_other_frameworks_are_branches(program: str, tmp_path: Path) -> None:
    """Their calls get keys, and the same ones on replay."""
    if "eager" in program and not hasattr(asyncio, "eager_task_factory"):
        pytest.skip("from Python 3.12 on")
    url = str(tmp_path / "p.db")
    with launched(url):
        begin(foreign, program)
        assert REACHED.wait(PATIENCE_SECONDS)
    names = recorded_names(url)
    go_on(url)
    assert names.items() <= recorded_names(url).items()


@has_eager_tasks
@pytest.mark.parametrize("is_own", [False, True])
def test_an_eager_loop_stays_one_for_anyio(is_own: bool, tmp_path: Path) -> None:
    """It makes its own tasks past an eager factory, which it knows by its code; outside and inside of runs."""

    class OwnTask(asyncio.Task[Any]):
        """Of a program's own factory."""

    async def main() -> tuple[list[str], bool]:
        factory: Any = asyncio.eager_task_factory  # type: ignore[attr-defined,unused-ignore]  # 3.12
        if is_own:
            factory = asyncio.create_eager_task_factory(OwnTask)  # type: ignore[attr-defined,unused-ignore]  # 3.12
        asyncio.get_running_loop().set_task_factory(factory)
        async with perdure.running(str(tmp_path / "p.db")):
            found = await in_group()
            outside = await anyio_group()
            made = asyncio.create_task(asyncio.sleep(0))
            assert outside == ["own", "a", "b", "c"]
            return found, isinstance(made, OwnTask)

    found, is_of_own_class = asyncio.run(main())
    assert sorted(found) == ["a", "b", "c", "own"]
    assert is_of_own_class == is_own


@perdure.workflow
async def nested_past_the_factory() -> list[str]:
    async def inner(name: str) -> str:
        return await quick(name)

    async def outer(name: str) -> list[str]:
        return [await eagerly(inner(name)), await quick(f"{name} own")]

    tags = await asyncio.gather(*(asyncio.create_task(outer(name)) for name in "ab"))
    return [tag for pair in tags for tag in pair]


@has_eager_tasks
def test_a_task_made_while_its_maker_begins_eagerly_has_a_branch_of_its_own(tmp_path: Path) -> None:
    """Past the factory, on an eager loop: it took its maker's, so the keys were others than on another loop."""

    async def main(url: str, is_eager: bool) -> list[str]:
        if is_eager:
            factory: Any = asyncio.eager_task_factory  # type: ignore[attr-defined,unused-ignore]  # 3.12
            asyncio.get_running_loop().set_task_factory(factory)
        async with perdure.running(url):
            return await (await perdure.with_options(id=RUN_ID).astart(nested_past_the_factory))

    urls = [str(tmp_path / "stock.db"), str(tmp_path / "eager.db")]
    assert [asyncio.run(main(url, url == urls[1])) for url in urls] == [["a", "a own", "b", "b own"]] * 2
    assert recorded_names(urls[0]) == recorded_names(urls[1])
    assert len(recorded_names(urls[0])) == 4


@perdure.workflow
async def in_group() -> list[str]:
    return await anyio_group()


@perdure.workflow
async def race(kind: str, width: int) -> float:
    """How long it takes to cancel so many open calls."""
    began = 0.0

    async def one(number: int) -> None:
        await endless(f"e{number}")

    async def stop() -> None:
        nonlocal began
        while len(BODIES) < width:  # noqa: ASYNC110  # until all are at work
            await asyncio.sleep(0.01)
        began = time.perf_counter()

    if kind == "anyio":
        async with anyio.create_task_group() as group:
            for number in range(width):
                group.start_soon(one, number)
            await stop()
            group.cancel_scope.cancel()
    else:
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as tasks:
                for number in range(width):
                    tasks.create_task(one(number))
                await stop()
                raise ValueError
    return time.perf_counter() - began


@pytest.mark.parametrize("kind", ["anyio", "group"])
def test_many_calls_are_cancelled_at_once(kind: str, tmp_path: Path) -> None:
    """In a time that grows with their number, and not with its square: 300 by an anyio group took more than 50 s."""
    with launched(str(tmp_path / "p.db")):
        assert begin(race, kind, 300).result(PATIENCE_SECONDS) < 5.0
