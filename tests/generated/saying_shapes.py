"""The shapes of saying something to others: events and streams, and what is read of them in the end."""

from __future__ import annotations

import asyncio

import perdure
from tests.generated.shapes import shape
from tests.generated.vocabulary import RETRY, begin, end, fail_first, nap, observe, sync_work, work

OWN = ["first", "step 0", "step 1", "between", "flaky 0", "flaky 1", "last"]
"""What stands in the stream in the end, whoever died meanwhile."""


def read_own() -> str:
    """What a reader gets of the run's own stream, once it is closed, from everywhere."""
    handle = perdure.handle(perdure.current().run_id)
    chunks = [item for item in handle.stream("out", timeout=60).chunks() if isinstance(item, perdure.Chunk)]
    assert [chunk.value for chunk in chunks] == OWN, chunks
    for chunk in chunks:
        kept: list[perdure.Chunk] = []
        for item in handle.stream("out", offset=chunk.offset).chunks():
            if isinstance(item, perdure.Rewound):
                kept = [one for one in kept if one.offset < item.offset]
            else:
                kept.append(item)
        assert [one.value for one in kept][-1] == "last"
    return "read"


@perdure.step
def sync_writes(tag: str) -> str:
    """Writes two chunks."""
    key = begin(tag)
    for number in range(2):
        perdure.stream("out").write(f"step {number}")
    return end(key, tag)


@perdure.step
async def writes(tag: str) -> str:
    """The same, async."""
    key = begin(tag)
    for number in range(2):
        perdure.stream("out").write(f"step {number}")
        await nap()
    return end(key, tag)


@perdure.step(retries=RETRY)
def sync_writes_flaky(tag: str) -> str:
    """Writes something wrong in its first attempt."""
    key = begin(tag)
    for number in range(2):
        perdure.stream("out").write(f"flaky {number}")
    return fail_first(key, tag)


@perdure.step(retries=RETRY)
async def writes_flaky(tag: str) -> str:
    """The same, async."""
    key = begin(tag)
    for number in range(2):
        perdure.stream("out").write(f"flaky {number}")
        await nap()
    return fail_first(key, tag)


@perdure.step
def sync_reads(tag: str) -> str:
    """Reads all of it."""
    key = begin(tag)
    assert read_own() == "read"
    return end(key, tag)


@perdure.step
async def reads(tag: str) -> str:
    """The same, beside the event loop."""
    key = begin(tag)
    assert await asyncio.to_thread(read_own) == "read"
    return end(key, tag)


@shape("written", "flaky", "read", "after")
def streamed() -> list[str]:
    seen = observe("streamed")
    out = perdure.stream("out")
    out.write("first")
    tags = [seen(sync_writes("written"))]
    out.write("between")
    tags.append(seen(sync_writes_flaky("flaky")))
    out.write("last")
    out.close()
    return [*tags, seen(sync_reads("read")), seen(sync_work("after"))]


@shape("written", "flaky", "read", "after")
async def streamed_async() -> list[str]:
    seen = observe("streamed_async")
    out = perdure.stream("out")
    out.write("first")
    tags = [seen(await writes("written"))]
    out.write("between")
    tags.append(seen(await writes_flaky("flaky")))
    out.write("last")
    out.close()
    return [*tags, seen(await reads("read")), seen(await work("after"))]


@perdure.workflow
async def saying(tag: str) -> None:
    """Says one thing, and then another."""
    perdure.set_event("said", "early")
    await work("between")
    perdure.set_event("said", tag)
    perdure.set_event("all", True)


@shape("said", "never", "after")
async def events() -> list[str]:
    seen = observe("events")
    handle = await perdure.astart(saying, "said")
    assert await perdure.get_event(handle, "all") is True
    tags = [seen(await perdure.get_event(handle, "said"))]
    await handle
    tags.append(seen(await perdure.get_event(handle, "none", default="never")))
    return [*tags, seen(await work("after"))]
