"""Several things at once inside one run: tasks, groups, threads, contexts, and loops inside loops."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import perdure
from perdure import Perdure, step, workflow
from tests.conformance.ledger import areplay, ran, replay

pytestmark = pytest.mark.usefixtures("sqlite_app")

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="none")


@step
async def awork(name: str, turns: int = 0) -> str:
    """It takes some turns of the loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
    ran.append(name)
    return name


@step
def work(name: str) -> str:
    """Sync."""
    ran.append(name)
    return name


@step
async def bad(name: str) -> str:
    """It fails."""
    ran.append(name)
    raise ValueError(name)


@step
async def never(name: str) -> None:
    """It ends only when it is cancelled."""
    ran.append(name)
    await asyncio.get_running_loop().create_future()


async def branch(name: str, turns: int) -> list[str]:
    """A branch of several steps."""
    return [await awork(f"{name}1", turns), await awork(f"{name}2", 3 - turns)]


async def gather() -> Any:
    """Branches with steps of their own."""
    return await asyncio.gather(branch("a", 3), branch("b", 1), branch("c", 2))


async def tasks() -> Any:
    """Waited for in another order than made."""
    made = [asyncio.create_task(branch(name, turns)) for name, turns in (("a", 2), ("b", 0), ("c", 1))]
    return [await task for task in reversed(made)]


async def group() -> Any:
    """A task group."""
    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(branch(name, 1)) for name in "ab"]
    return [task.result() for task in made]


async def group_aborts() -> Any:
    """One fails, the others are cancelled."""
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(never("left"))
            tasks.create_task(bad("bad"))
            tasks.create_task(never("right"))
    except* ValueError as group:
        caught = [repr(one) for one in group.exceptions]
    return [caught, await awork("after")]


async def gather_fails() -> Any:
    """A gather goes on behind the first error."""
    try:
        await asyncio.gather(bad("x"), awork("y", 2))
    except ValueError as error:
        return [repr(error), await awork("after", 5)]


async def wait_for_times_out() -> Any:
    """The inner call is cancelled."""
    try:
        await asyncio.wait_for(never("slow"), 0.02)
    except TimeoutError:
        return [await awork("after"), await asyncio.wait_for(awork("in time", 2), 10)]


async def timeout_block() -> Any:
    """The same as a block."""
    try:
        async with asyncio.timeout(0.02):
            await never("slow")
    except TimeoutError:
        return await awork("after")


async def semaphore() -> Any:
    """Waits that are not durable, between durable ones."""
    gate, lock, seen = asyncio.Semaphore(2), asyncio.Lock(), []

    async def one(number: int) -> None:
        async with gate:
            name = await awork(str(number), number % 3)
            async with lock:
                seen.append(name)

    await asyncio.gather(*(one(number) for number in range(6)))
    return seen


async def channel() -> Any:
    """A producer and a consumer."""
    items: asyncio.Queue[str | None] = asyncio.Queue(maxsize=1)

    async def produce() -> None:
        for name in "abc":
            await items.put(await awork(name))
        await items.put(None)

    async def consume() -> list[str]:
        seen = []
        while (item := await items.get()) is not None:
            seen.append(await awork(item + "!"))
        return seen

    return (await asyncio.gather(produce(), consume()))[1]


async def as_completed() -> Any:
    """Tasks in the order in which they end."""
    made = [asyncio.create_task(awork(name, turns)) for name, turns in (("slow", 9), ("fast", 0))]
    return [await one for one in asyncio.as_completed(made)]


async def shielded() -> Any:
    """A cancelled waiter, a shielded call."""
    inner = asyncio.ensure_future(awork("inner", 5))
    try:
        await asyncio.wait_for(asyncio.shield(inner), 0)
    except TimeoutError:
        return await inner


async def agenerator() -> Any:
    """An async generator that calls steps."""

    async def items() -> Any:
        for name in "ab":
            yield await awork(name)

    return [name async for name in items()]


async def sync_steps() -> Any:
    """Sync steps of several branches."""

    async def one(name: str) -> list[str]:
        await asyncio.sleep(0)
        return [work(name), await awork(name + "!"), work(name)]

    return await asyncio.gather(one("a"), one("b"))


SHAPES = {
    shape.__name__: shape
    for shape in (
        gather,
        tasks,
        group,
        group_aborts,
        gather_fails,
        wait_for_times_out,
        timeout_block,
        semaphore,
        channel,
        as_completed,
        shielded,
        agenerator,
        sync_steps,
    )
}

seen_by_shape: dict[str, list[Any]] = {}


@workflow
async def shaped(shape: str) -> Any:
    """One of them, and once more from the top."""
    seen = await SHAPES[shape]()
    seen_by_shape.setdefault(shape, []).append(seen)
    await areplay()
    return seen


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_concurrency_replays_as_it_was(shape: str, loop: str) -> None:
    """DBOS (#551, #688: gathered steps swapped results), Inngest (py#136), Restate: plain asyncio, nothing of ours."""
    factory = pytest.importorskip("uvloop").new_event_loop if loop == "uvloop" else None
    seen_by_shape.clear()
    with asyncio.Runner(loop_factory=factory) as runner:
        value = runner.run(shaped(shape))
    assert seen_by_shape[shape] == [value, value]
    counted = [name for name in ran if name not in ("a", "b")]  # `sync_steps` names two of its steps alike
    assert len(counted) == len(set(counted))


@workflow
async def bare_as_completed() -> None:
    """It starts them in the order of a set."""
    calls: list[Any] = [awork("a"), awork("b")]
    try:
        for one in asyncio.as_completed(calls):
            await one
    finally:
        for call in calls:
            call.close()


def test_as_completed_on_bare_coroutines_is_refused_with_the_mend() -> None:
    """DESIGN: it iterates a set, so no replay could be the same."""
    with pytest.raises(perdure.LineageError, match="create_task"):
        asyncio.run(bare_as_completed())


@workflow
async def leaves_a_task() -> str:
    """It ends while a task of it runs."""
    asyncio.get_running_loop().set_debug(False)
    task = asyncio.create_task(never("left behind"))
    await asyncio.sleep(0)
    assert not task.done()
    return "ended"


def test_a_run_ends_when_its_function_does() -> None:
    """Temporal and Restate: what it left running is cancelled and records nothing."""
    assert asyncio.run(leaves_a_task()) == "ended"


@workflow
async def steps_in_threads() -> str:
    """The context goes into the thread, the task does not."""
    return await asyncio.to_thread(work, "lost")


def test_a_step_in_a_thread_that_inherited_the_context_is_refused() -> None:
    """DBOS (#664): some calls lost their workflow and others were recorded; here none runs."""
    with pytest.raises(perdure.LineageError, match="thread"):
        asyncio.run(steps_in_threads())
    assert ran == []


@workflow
def steps_in_a_plain_pool() -> str:
    """No context at all."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work, "unrecorded").result()


def test_a_step_in_a_plain_pool_warns() -> None:
    """It would run unrecorded without a word: once per step a warning says so."""
    with pytest.warns(RuntimeWarning, match="threads"):
        assert steps_in_a_plain_pool() == "unrecorded"


@workflow
def branches_in_threads() -> list[str]:
    """The pool that carries the run."""
    with perdure.threads(4) as pool:
        seen = list(pool.map(two_steps, range(8)))
    replay()
    return seen


def two_steps(number: int) -> str:
    """A branch."""
    return work(f"{number}a") + work(f"{number}b")


def test_threads_of_a_run_are_branches_of_it() -> None:
    """AWS's `map` and `parallel` have ids by place; here any function in a pool."""
    assert branches_in_threads() == [f"{n}a{n}b" for n in range(8)]
    assert len(ran) == len(set(ran)) == 16


@step
def reads_context() -> str:
    """It sees who asks."""
    return request_id.get()


@step
async def areads_context() -> str:
    """The same."""
    return request_id.get()


@workflow
async def sets_context() -> list[str]:
    """Set in the workflow, seen in its steps and tasks."""
    request_id.set("outer")
    seen = [reads_context(), await areads_context()]

    async def inner() -> str:
        request_id.set("inner")
        return await areads_context()

    seen += [await asyncio.create_task(inner()), reads_context()]
    await areplay()
    return seen


def test_a_step_sees_the_context_variables_of_its_workflow() -> None:
    """Loggers and tracers rely on it (Hatchet #4815, Temporal's interceptors)."""
    assert asyncio.run(sets_context()) == ["outer", "outer", "inner", "outer"]


@step
def runs_a_loop(name: str) -> str:
    """`asyncio.run` in a sync step."""

    async def go() -> str:
        await asyncio.sleep(0)
        return name

    ran.append(name)
    return asyncio.run(go())


@workflow
def loops_in_steps() -> list[str]:
    """Two loops."""
    seen = [runs_a_loop("a"), runs_a_loop("b")]
    replay()
    return seen


def test_a_sync_step_may_run_a_loop_of_its_own() -> None:
    """Libraries with a sync face do that inside."""
    assert loops_in_steps() == ["a", "b"]
    assert ran == ["a", "b"]


@workflow
def loops_in_the_workflow() -> str:
    """Steps in a loop that is not the run's."""

    async def go() -> str:
        return work("lost")

    return asyncio.run(go())


def test_a_step_in_a_loop_inside_a_sync_workflow_is_refused() -> None:
    """Its tasks would be branches that nobody numbers."""
    with pytest.raises(perdure.LineageError, match="async def"):
        loops_in_the_workflow()
    assert ran == []


def test_one_instance_serves_many_loops_one_after_another(sqlite_app: Perdure) -> None:
    """Tests and scripts call `asyncio.run` again and again."""
    assert [asyncio.run(shaped("agenerator")) for _ in range(3)] == [["a", "b"]] * 3
    assert sqlite_app.is_launched


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks_have_the_same_branches() -> None:
    """A task that runs before its factory has returned."""

    async def go() -> Any:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        return await shaped("gather")

    seen_by_shape.clear()
    assert asyncio.run(go()) == [["a1", "a2"], ["b1", "b2"], ["c1", "c2"]]
