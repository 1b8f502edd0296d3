"""What the runs of `benchmarks.waiting` wait for: a message, a child, a person, or the time."""

from __future__ import annotations

import perdure
from perdure import Queue, workflow

queue = Queue("waiting", worker_concurrency=1_000)
LONG_SECONDS = 86_400.0


@workflow(name="bench:child")
async def child() -> None:
    """Wait for what does not come."""
    await perdure.recv("never")


@workflow(name="bench:parent")
async def parent(number: int) -> None:
    """Wait for a child, which is on the same queue."""
    await (await queue.asubmit(child))


@workflow(name="bench:message")
async def message(number: int) -> int:
    """Wait for a message."""
    return int(await perdure.recv("go"))


@workflow(name="bench:hook")
async def hook(number: int) -> str:
    """Wait for a person's answer."""
    return await perdure.hook(str)


@workflow(name="bench:sleep")
async def sleep(number: int) -> None:
    """Wait for tomorrow."""
    await perdure.sleep(LONG_SECONDS)


KINDS = (message, parent, hook, sleep)
