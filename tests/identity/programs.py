"""Workflows whose branches race: the same calls must get the same keys whatever the timing.

Every body and every pause takes a random time. `LEDGER` in the environment names a file in which each body notes
that it ran; a file outlives the process.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
import types
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import perdure

CHANCE = random.Random(os.environ.get("CHANCE"))  # noqa: S311  # timing
BODY_SECONDS = float(os.environ.get("BODY_SECONDS", "0.004"))


def note(line: str) -> None:
    """Add a line to the ledger; whole, also when others write and when the process is killed."""
    if path := os.environ.get("LEDGER"):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, f"{line}\n".encode())
        os.close(file)


async def nap() -> None:
    """Wait, not durably: often not at all."""
    await asyncio.sleep(CHANCE.choice([0, 0, CHANCE.uniform(0, BODY_SECONDS)]))


@perdure.step
async def work(tag: str) -> str:
    note(perdure.idempotency_key())
    await asyncio.sleep(CHANCE.uniform(0, BODY_SECONDS))
    return tag.upper()


@perdure.step
async def mark(tag: str, seen: list[str]) -> int:
    """Its arguments tell what the workflow had observed when it called."""
    note(perdure.idempotency_key())
    await asyncio.sleep(CHANCE.uniform(0, BODY_SECONDS))
    return len(seen)


@perdure.step
async def never(tag: str) -> None:
    note("endless " + perdure.idempotency_key())
    await asyncio.sleep(3600)


@perdure.step
async def fail(tag: str) -> None:
    note(perdure.idempotency_key())
    await asyncio.sleep(CHANCE.uniform(0, BODY_SECONDS))
    raise ValueError(tag)


@perdure.step
def count(tag: str) -> int:
    """A sync step, called in sync and async runs."""
    note(perdure.idempotency_key())
    return len(tag)


@perdure.step
def toil(tag: str) -> str:
    """A sync step that takes a while."""
    note(perdure.idempotency_key())
    time.sleep(CHANCE.uniform(0, BODY_SECONDS))
    return tag.upper()


@perdure.step
def report(tag: str, seen: list[str]) -> int:
    note(perdure.idempotency_key())
    time.sleep(CHANCE.uniform(0, BODY_SECONDS))
    return len(seen)


@perdure.workflow
async def child(tag: str) -> str:
    return (await work(f"{tag} in child")).lower()


async def branch(name: str, length: int) -> list[str]:
    done = []
    for number in range(length):
        await nap()
        done.append(await work(f"{name}{number}"))
    return done


@types.coroutine
def of_old(name: str) -> Generator[Any, None, list[str]]:
    """A generator, of which Python 3.11 makes a task and later versions a coroutine first."""
    return (yield from branch(name, 2).__await__())


@perdure.workflow
async def gathered() -> list[list[str]]:
    """Branches of one function, of different lengths, that begin at different times."""
    return await asyncio.gather(
        *(branch(name, length) for name, length in [("a", 3), ("b", 1), ("c", 4), ("d", 2)]), of_old("e")
    )


@perdure.workflow
async def tasks() -> list[object]:
    """Tasks made by `create_task` here and there, also of steps themselves."""
    first = asyncio.create_task(branch("a", 3))
    await nap()
    second = asyncio.create_task(work("direct"))
    alone = await work("own")
    third = asyncio.create_task(branch("b", 2))
    await nap()
    return [await second, alone, await third, await first]


async def nest(name: str, depth: int) -> list[str]:
    await nap()
    if not depth:
        return await branch(name, 2)
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(nest(f"{name}{side}", depth - 1)) for side in "lr"]
        extra = group.create_task(work(name))
        await nap()
        own = await work(f"{name} own")
    return [own, extra.result(), *(one for task in made for one in task.result())]


@perdure.workflow
async def groups() -> list[str]:
    """Task groups in task groups."""
    return await nest("g", 2)


@perdure.workflow
async def limited() -> list[object]:
    """`wait_for`, `timeout` and `shield`, in time and too late; what is too late leaves its siblings alone."""

    async def one(name: str) -> list[object]:
        seen: list[object] = [await asyncio.wait_for(branch(name, 2), 60)]
        try:
            await asyncio.wait_for(never(name), 0.02)
        except TimeoutError:
            seen.append("late")
        await nap()
        try:
            async with asyncio.timeout(0.02):
                await asyncio.gather(never(f"{name} 1"), never(f"{name} 2"))
        except TimeoutError:
            seen.append("too late")
        seen.append(await asyncio.shield(work(f"{name} shielded")))
        return seen

    async with asyncio.timeout(60):
        return list(await asyncio.gather(one("a"), branch("x", 5), one("b")))


async def failing(name: str) -> None:
    await branch(name, 1)
    await fail(name)


async def endless(name: str) -> str:
    try:
        await never(name)
    except asyncio.CancelledError:
        note(f"cancelled {name}")
        raise
    return "never"


@perdure.workflow
async def aborted() -> list[object]:
    """A group that one task brings down, errors that are gathered, and a task that is cancelled by hand."""
    seen: list[object] = []
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(endless(f"e{number}"))
            group.create_task(failing("f"))
            await never("body")
    except* ValueError as errors:
        seen += [str(error) for error in errors.exceptions]
    results = await asyncio.gather(failing("g"), branch("h", 3), fail("i"), return_exceptions=True)
    seen += [str(one) if isinstance(one, Exception) else one for one in results]
    task = asyncio.create_task(endless("by hand"))
    seen.append(await work("between"))
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    seen.append(await work("after"))
    return seen


@perdure.workflow
async def parents() -> list[object]:
    """Handles of children in everything that waits."""
    handles = [await perdure.astart(child, f"c{number}") for number in range(6)]
    seen: list[object] = list(await asyncio.gather(handles[0], branch("a", 2), handles[1]))
    seen.append(await asyncio.wait_for(handles[2], 60))
    async with asyncio.TaskGroup() as group:
        waited = group.create_task(handles[3].wait())
        called = group.create_task(child("called"))
        slept = group.create_task(pause_and_work())
    seen += [waited.result(), called.result(), slept.result()]
    made = {asyncio.create_task(handles[4].wait()), asyncio.create_task(branch("b", 1))}
    done, pending = await asyncio.wait(made)
    assert done == made
    assert not pending
    for one in asyncio.as_completed([asyncio.create_task(handles[5].wait()), asyncio.create_task(branch("c", 2))]):
        await one
    return seen


async def pause_and_work() -> str:
    await perdure.sleep(0.002)
    return await work("slept")


async def foreign() -> None:
    """What a library might do: tasks of its own, more or fewer from run to run."""
    helpers = [asyncio.create_task(nap()) for _ in range(CHANCE.randint(0, 3))]
    await asyncio.gather(*helpers, nap())


@perdure.workflow
async def mixed() -> list[object]:
    """Tasks of a library in between, sync steps, values."""

    async def one(name: str) -> list[object]:
        await foreign()
        first: list[object] = [count(name), await asyncio.create_task(work(name))]
        await foreign()
        return [*first, count(name * 2), await work(name)]

    await foreign()
    moments = [perdure.now() <= perdure.now(), perdure.uuid4() != perdure.uuid4()]
    return [moments, *await asyncio.gather(one("a"), foreign(), one("b"))]


def sync_branch(name: str, length: int) -> list[str]:
    done = []
    for number in range(length):
        time.sleep(CHANCE.choice([0, CHANCE.uniform(0, BODY_SECONDS)]))
        done.append(toil(f"{name}{number}"))
    return done


def sync_nest(name: str) -> list[list[str]]:
    with perdure.threads(2) as pool:
        made = [pool.submit(sync_branch, f"{name}{number}", 2) for number in range(3)]
        return [one.result() for one in made]


@perdure.workflow
def threaded() -> list[object]:
    """Threads, nested, by `map`, and of functions made in a comprehension, which is one itself on Python 3.11."""
    with perdure.threads(4) as pool:
        nested = pool.submit(sync_nest, "n")
        made = [pool.submit(lambda name=name: toil(name)) for name in ["f", "g"]]
        direct = pool.submit(toil, "direct")
        mapped = list(pool.map(sync_branch, ["x", "y", "z"], [1, 3, 2]))
        own = toil("own")
        return [own, direct.result(), mapped, nested.result(), *(one.result() for one in made)]


KEYED = [gathered, tasks, groups, limited, aborted, parents, threaded, mixed]
"""Their keys and outcomes do not depend on the timing."""


@perdure.workflow
async def observing(width: int, length: int) -> list[str]:
    """Observes the order in which outcomes come; each call tells what was seen before it. Returns that order."""
    seen: list[str] = []

    async def one(name: str) -> None:
        for number in range(length):
            await nap()
            await work(f"{name}{number}")
            seen.append(f"{name}{number}")
            await mark(name, list(seen))
            seen.append(f"{name}{number} marked")

    async with asyncio.TaskGroup() as group:
        for number in range(width):
            group.create_task(one(f"b{number}-"))
    return seen


@perdure.workflow
async def deep_observing(width: int) -> list[str]:
    """The same where it takes the loop some turns until the code reacts."""
    seen: list[str] = []

    async def one(name: str, depth: int) -> None:
        if depth:
            await asyncio.wait_for(asyncio.gather(asyncio.shield(asyncio.create_task(one(name, depth - 1)))), 60)
        else:
            await work(name)
        seen.append(f"{name} {depth}")
        await mark(name, seen[-5:])

    await asyncio.gather(*(one(f"b{number}", number % 4) for number in range(width)))
    return seen


@perdure.workflow
async def observing_children(width: int) -> list[str]:
    """The same for children, sleeps and steps."""
    seen: list[str] = []

    async def one(number: int) -> None:
        handle = await perdure.astart(child, f"c{number}")
        await nap()
        await handle
        seen.append(f"child {number}")
        await mark("after child", list(seen))
        await perdure.sleep(CHANCE.uniform(0, BODY_SECONDS))
        seen.append(f"slept {number}")
        await mark("after sleep", list(seen))

    await asyncio.gather(*(one(number) for number in range(width)))
    return seen


@perdure.workflow
def observing_threads(width: int, length: int) -> list[str]:
    """The same for threads."""
    seen: list[str] = []

    def one(name: str) -> None:
        for number in range(length):
            toil(f"{name}{number}")
            seen.append(f"{name}{number}")
            report(name, list(seen))

    with perdure.threads(width) as pool:
        for made in [pool.submit(one, f"b{number}-") for number in range(width)]:
            made.result()
    return seen
