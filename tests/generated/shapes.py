"""Every shape of workflow, one of each, with what it ends with: what the kill matrix kills at every boundary."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import perdure
from tests.generated.vocabulary import (
    QUEUE,
    child,
    fail,
    flaky,
    never,
    observe,
    quick,
    sync_child,
    sync_fail,
    sync_flaky,
    sync_work,
    tell,
    work,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A workflow, how it is begun, and how it ends."""

    function: Callable[[], Any]
    ending: list[Any]
    begins: str = "named"
    """`named`: started with an id of the caller's; `started`: without one; `called`: as a function."""
    is_ordered: bool = True

    @property
    def name(self) -> str:
        """What it is called, and its run where that has a name."""
        return self.function.__name__


SHAPES: list[Shape] = []


def shape(*value: str, is_ordered: bool = True, begins: tuple[str, ...] = ("named",)) -> Callable[[Any], Any]:
    """Add a workflow that ends with this value."""

    def add(function: Any) -> Any:
        made = perdure.workflow(function)
        for one in begins:
            SHAPES.append(Shape(made, ["value", list(value)], one, is_ordered))
        return made

    return add


@shape("a", "b", "c", begins=("named", "started", "called"))
def sequential_sync() -> list[str]:
    seen = observe("sequential_sync")
    return [seen(sync_work(tag)) for tag in "abc"]


@shape("a", "b", "c", begins=("named", "started", "called"))
async def sequential_async() -> list[str]:
    seen = observe("sequential_async")
    return [seen(await work("a")), seen(await quick("b")), seen(await work("c"))]


@shape("a", "b", "c", "end")
async def gather() -> list[str]:
    seen = observe("gather")

    async def one(tag: str) -> str:
        tag = seen(await work(tag))
        seen(await tell(f"{tag} told", list(seen.log)))
        return tag

    return [*await asyncio.gather(one("a"), one("b"), one("c")), seen(await work("end"))]


@shape("body", "inner", "outer")
async def nested_groups() -> list[str]:
    seen = observe("nested_groups")

    async def inner() -> list[str]:
        async with asyncio.TaskGroup() as group:
            made = group.create_task(work("inner"))
            tags = [seen(await work("body"))]
        return [*tags, seen(made.result())]

    async with asyncio.TaskGroup() as group:
        first, second = group.create_task(inner()), group.create_task(work("outer"))
    return [*first.result(), seen(second.result())]


@shape("a", "b", "c", "d", "e")
async def queue_pool() -> list[str]:
    seen = observe("queue_pool")
    todo: asyncio.Queue[str] = asyncio.Queue()
    done: list[str] = []

    async def worker() -> None:
        while True:
            tag = await todo.get()
            done.append(seen(await work(tag)))
            todo.task_done()

    workers = [asyncio.create_task(worker()) for _ in range(2)]
    for tag in "abcde":
        todo.put_nowait(tag)
    await todo.join()
    for one in workers:
        one.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    return sorted(done)


@shape("child of a queue", "own", "sync child of a queue")
async def children_on_a_queue() -> list[str]:
    seen = observe("children_on_a_queue")
    first = await QUEUE.asubmit(child, "child of a queue")
    second = await QUEUE.asubmit(sync_child, "sync child of a queue")
    own = seen(await work("own"))
    return [seen(await first), own, seen(await second)]


@shape(*(f"one of many {number}" for number in range(8)))
def parent_of_many() -> list[str]:
    seen = observe("parent_of_many")
    return [seen(value) for value in QUEUE.map(sync_work, [f"one of many {number}" for number in range(8)])]


@shape("before", "after")
async def sleep() -> list[str]:
    seen = observe("sleep")
    tags = [seen(await work("before"))]
    await asyncio.gather(perdure.sleep(0.01), perdure.sleep(0.02))
    return [*tags, seen(await work("after"))]


@shape("before", "after")
def sync_sleep() -> list[str]:
    seen = observe("sync_sleep")
    tags = [seen(sync_work("before"))]
    perdure.sleep(0.02)
    return [*tags, seen(sync_work("after"))]


@shape("tried", "sync tried")
async def retry() -> list[str]:
    seen = observe("retry")
    return [seen(await flaky("tried")), seen(await sync_retry("sync tried"))]


async def sync_retry(tag: str) -> str:
    """A run of a sync step that is retried."""
    return str(await (await perdure.astart(sync_flaky, tag)))


@shape("raised", "sync raised", "after")
async def error() -> list[str]:
    seen = observe("error")
    tags = []
    try:
        await fail("raised")
    except ValueError as raised:
        tags.append(seen(raised))
    try:
        await (await perdure.astart(sync_fail, "sync raised"))
    except ValueError as raised:
        tags.append(seen(raised))
    return [*tags, seen(await work("after"))]


@perdure.workflow
async def failing_child() -> None:
    """Ends with an error."""
    await work("before the end")
    await fail("the end")


@shape("the end")
async def child_fails() -> list[str]:
    seen = observe("child_fails")
    try:
        await failing_child()
    except ValueError as raised:
        return [seen(raised)]
    return []


@perdure.workflow
async def endless() -> None:
    """Is there to be cancelled."""
    await never("endless")


@shape("begun", "cancelled", "after")
async def cancel() -> list[str]:
    seen = observe("cancel")
    handle = await perdure.astart(endless)
    tags = [seen(await work("begun"))]
    await handle.acancel()
    try:
        await handle
    except perdure.RunCancelledError:
        tags.append(seen("cancelled"))
    return [*tags, seen(await work("after"))]


@shape("main", "after")
async def cancelled_task() -> list[str]:
    seen = observe("cancelled_task")
    task = asyncio.create_task(never("background"))
    try:
        tags = [seen(await work("main"))]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return [*tags, seen(await work("after"))]


@shape("raised", "a", "a told", "b", "b told")
async def aborted_group() -> list[str]:
    seen = observe("aborted_group")

    async def aborted() -> list[str]:
        tags = []
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(never("first sibling"))
                group.create_task(never("second sibling"))
                group.create_task(fail("raised"))
        except* ValueError as errors:
            tags += [seen(one) for one in errors.exceptions]
        return tags

    async def other(tag: str) -> list[str]:
        return [seen(await work(tag)), seen(await tell(f"{tag} told", list(seen.log)))]

    made = await asyncio.gather(aborted(), other("a"), other("b"))
    return [tag for tags in made for tag in tags]


@shape("first gathered", "second gathered")
async def gathered_handles() -> list[str]:
    seen = observe("gathered_handles")
    handles = [await perdure.astart(child, f"{which} gathered") for which in ("first", "second")]
    return [seen(value) for value in await asyncio.gather(*handles)]


@shape("main", "cleaned")
async def cleanup_step() -> list[str]:
    seen = observe("cleanup_step")

    async def cleaning() -> str:
        try:
            return await never("to be cancelled")
        except asyncio.CancelledError:
            return seen(await work("cleaned"))

    task = asyncio.create_task(cleaning())
    tags = [seen(await work("main"))]
    task.cancel()
    return [*tags, await task]


@shape("a", "b", "c", "d", is_ordered=False)
def waiting_threads() -> list[str]:
    seen = observe("waiting_threads")

    def inner() -> list[str]:
        with perdure.threads(1) as pool:
            return [seen(value) for value in pool.map(sync_work, ["a", "b"])]

    def one(tag: str) -> list[str]:
        return [seen(sync_work(tag))]

    with perdure.threads(2) as pool:
        made = [pool.submit(inner), pool.submit(one, "c"), pool.submit(one, "d")]
        return [tag for future in made for tag in future.result()]


@shape("a", "b", "own", is_ordered=False)
def threads() -> list[str]:
    seen = observe("threads")

    def one(tag: str) -> str:
        seen(sync_work(f"{tag} first"))
        return seen(sync_work(tag))

    with perdure.threads(2) as pool:
        made = [pool.submit(one, tag) for tag in "ab"]
        own = seen(sync_work("own"))
        return [*(future.result() for future in made), own]


@shape("direct child", "sync", "end")
async def direct_call() -> list[str]:
    seen = observe("direct_call")
    sync = await QUEUE.asubmit(sync_parent)
    return [seen(await child("direct child")), seen(await sync), seen(await work("end"))]


@perdure.workflow
def sync_parent() -> str:
    """Calls a child."""
    return sync_child("sync")


@shape("started", "sync started")
async def started() -> list[str]:
    seen = observe("started")
    handles = [await perdure.astart(child, "started"), perdure.start(sync_child, "sync started")]
    return [seen(await handle) for handle in handles]


@shape("named child", "the same")
async def named_id() -> list[str]:
    seen = observe("named_id")
    first = await perdure.with_options(id="named child").astart(child, "named child")
    again = await perdure.with_options(id="named child").astart(child, "named child")
    return [seen(await first), "the same" if seen(await again) == "named child" else "another"]


@shape("drawn", "same moment")
async def values() -> list[str]:
    seen = observe("values")
    drawn = [str(draw()) for draw in (perdure.now, perdure.random, perdure.uuid4)]
    tags = [seen(await tell("drawn", drawn))]
    seen(drawn)
    moment = perdure.now()
    return [*tags, seen(await tell("same moment", [str(moment)]))]


@perdure.workflow
async def answering(to: str) -> None:
    """Sends back what it gets, until it gets nothing more."""
    while (tag := await perdure.recv("asked")) is not None:
        await perdure.send(to, tag, topic="answered")


@shape("a", "b", "nothing", "after")
async def messages() -> list[str]:
    seen = observe("messages")
    handle = await perdure.astart(answering, perdure.current().run_id)
    tags = []
    for tag in "ab":
        await perdure.send(handle, tag, topic="asked")
        tags.append(seen(await perdure.recv("answered")))
    await perdure.send(handle, None, topic="asked")
    await handle
    tags.append(seen(await perdure.recv("answered", timeout=0.01, default="nothing")))
    return [*tags, seen(await work("after"))]


@shape("first", "second", "own", "after")
def sync_messages() -> list[str]:
    seen = observe("sync_messages")
    me = perdure.current().run_id
    perdure.send(me, "own", topic="own")
    perdure.send_many([(me, "first"), (me, "second")])
    tags = [seen(perdure.recv()), seen(perdure.recv()), seen(perdure.recv("own"))]
    return [*tags, seen(sync_work("after"))]


@shape("one", "two", "after")
async def competing_messages() -> list[str]:
    seen = observe("competing_messages")
    me = perdure.current().run_id

    async def one() -> str:
        return seen(await perdure.recv())

    tasks = [asyncio.create_task(one()) for _ in range(2)]
    await perdure.send_many([(me, "one"), (me, "two")])
    tags = sorted(await asyncio.gather(*tasks))
    return [*tags, seen(await work("after"))]
