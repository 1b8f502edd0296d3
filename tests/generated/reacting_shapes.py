"""The shapes of several branches that may come to their outcomes at once, each with calls that follow at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import perdure
from tests.generated.hook_shapes import resolving
from tests.generated.shapes import shape
from tests.generated.vocabulary import child, never, observe, quick, sync_child, sync_work, work


@perdure.step
async def undoes(tag: str) -> None:
    """Never needed: nothing fails."""


def say_all(tag: str) -> None:
    """All that is recorded at once, without a place among the outcomes."""
    perdure.set_event(tag, perdure.now().isoformat())
    perdure.stream("said").write(f"{tag} {perdure.random()}")
    perdure.set_attributes({"said": tag})
    perdure.undo(undoes, tag)


@perdure.workflow
async def telling(run_id: str, *topics: str) -> None:
    """Sends to all topics at once."""
    await asyncio.gather(*(perdure.send(run_id, topic, topic=topic) for topic in topics))


@shape("one", "two", "three", "four", "after")
async def reacting_to_steps() -> list[str]:
    seen = observe("reacting_to_steps")

    async def one(tag: str, body: Callable[[str], Awaitable[str]]) -> str:
        tag = seen(await body(tag))
        say_all(tag)
        seen(await quick(f"{tag} again"))
        return tag

    bodies = [("one", work), ("two", quick), ("three", work), ("four", quick)]
    tags = await asyncio.gather(*(one(*each) for each in bodies))
    return [*tags, seen(await work("after"))]


@shape("left", "right", "up", "down", "after")
async def reacting_to_ends() -> list[str]:
    seen = observe("reacting_to_ends")

    async def one(tag: str) -> str:
        tag = seen(await perdure.start(child, tag))
        say_all(tag)
        seen(await perdure.start(child, f"{tag} follows"))
        return tag

    tags = await asyncio.gather(*map(one, ("left", "right", "up", "down")))
    return [*tags, seen(await work("after"))]


@shape("message", "other message", "answer", "time", "limit", "event", "cancelled", "after")
async def reacting_to_all() -> list[str]:
    seen = observe("reacting_to_all")
    me = perdure.current().run_id
    asked = perdure.hook(str)
    done: list[str] = []

    async def do(tag: str) -> str:
        say_all(f"update {tag}")
        done.append(seen(await quick(tag)))
        return tag

    perdure.on_update("do", do)

    async def receives(topic: str) -> str:
        await perdure.recv(topic)
        say_all(topic)
        return seen(topic)

    async def is_answered() -> str:
        tag = seen(await asked)
        say_all(tag)
        return tag

    async def sleeps() -> str:
        await perdure.sleep(0.01)
        say_all("time")
        return seen("time")

    async def is_limited() -> str:
        try:
            async with perdure.timeout(0.01):
                await perdure.recv("nothing")
        except TimeoutError:
            say_all("limit")
        return seen("limit")

    async def gets() -> str:
        await perdure.get_event(me, "message")
        say_all("got")
        return seen("event")

    async def is_cancelled() -> str:
        try:
            await never("cancelled")
        except asyncio.CancelledError:
            say_all("cancelled")
            return seen("cancelled")
        return ""

    async def updates() -> None:
        for tag in ("first", "second"):
            await perdure.start(updating, me, tag)
            say_all(f"updated {tag}")

    background = asyncio.create_task(is_cancelled())
    updated = asyncio.create_task(updates())
    telling_all = perdure.start(telling, me, "message", "other message")
    answering = perdure.start(resolving, asked.token, "answer")
    branches = [receives("message"), receives("other message"), is_answered(), sleeps(), is_limited(), gets()]
    tags = await asyncio.gather(*branches)
    background.cancel()
    say_all("all")
    tags.append(await background)
    await updated
    await telling_all
    await answering
    assert done == ["first", "second"]
    return [*tags, seen(await work("after"))]


@perdure.workflow
async def updating(run_id: str, tag: str) -> None:
    """Asks for one update."""
    assert await perdure.handle(run_id).aupdate("do", tag) == tag


@shape("message", "time", "end", "body", "answer", "own", is_ordered=False)
def reacting_in_threads() -> list[str]:
    seen = observe("reacting_in_threads")
    me = perdure.current().run_id
    asked = perdure.hook(str)

    def receives() -> str:
        perdure.recv("message")
        say_all("message")
        return seen("message")

    def sleeps() -> str:
        perdure.sleep(0.01)
        say_all("time")
        return seen("time")

    def awaits() -> str:
        tag = seen(perdure.start(sync_child, "end").result())
        say_all(tag)
        perdure.start(sync_child, "follows").result()
        return tag

    def works() -> str:
        tag = seen(sync_work("body"))
        say_all(tag)
        return tag

    def is_answered() -> str:
        tag = seen(asked.wait())
        say_all(tag)
        return tag

    handles = [perdure.start(telling, me, "message"), perdure.start(resolving, asked.token, "answer")]
    with perdure.threads(5) as pool:
        made = [pool.submit(branch) for branch in (receives, sleeps, awaits, works, is_answered)]
        own = seen(sync_work("own"))
        tags = [future.result() for future in made]
    for handle in handles:
        handle.result()
    return [*tags, own]
