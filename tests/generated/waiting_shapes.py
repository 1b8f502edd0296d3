"""The shapes of waiting for many, under a policy, and for a condition."""

from __future__ import annotations

import asyncio
from functools import partial

import perdure
from tests.generated.shapes import endless, shape
from tests.generated.vocabulary import CHANCE, QUEUE, child, never, observe, sync_fail, sync_work, work


@shape(*(f"mapped {number}" for number in range(5)), "raised 1", "raised 2")
def mapped() -> list[str]:
    seen = observe("mapped")
    items = [f"mapped {number}" for number in range(5)]
    tags = [seen(value) for _, value, _ in perdure.map(sync_work, items, limit=2, queue=QUEUE)]
    raised = perdure.map(sync_fail, ["raised 1", "raised 2"], limit=1, policy=perdure.Policy(failures=None))
    return [*tags, *(seen(error) for _, _, error in raised)]


@shape(*(f"async mapped {number}" for number in range(5)))
async def mapped_async() -> list[str]:
    seen = observe("mapped_async")
    items = [f"async mapped {number}" for number in range(5)]
    return [seen(value) async for _, value, _ in perdure.map(work, items, limit=2, queue=QUEUE)]


@shape("a", "child", "after")
async def enough_gathered() -> list[str]:
    seen = observe("enough_gathered")
    calls = [work("a"), partial(child, "child"), never("own"), partial(endless)]
    first, second, *given_up = await perdure.gather(*calls, policy=perdure.Policy(successes=2))
    assert [type(one) for one in given_up] == [asyncio.CancelledError, perdure.RunCancelledError]
    return [seen(first), seen(second), seen(await work("after"))]


def coin() -> bool:
    """Something that is so at some time."""
    return CHANCE.random() < 0.4


@shape("before", "after")
def waited_for() -> list[str]:
    seen = observe("waited_for")
    tags = [seen(sync_work("before"))]
    perdure.wait_for(coin, every=0.002, timeout=60)
    return [*tags, seen(sync_work("after"))]


@shape("before", "after")
async def waited_for_async() -> list[str]:
    seen = observe("waited_for_async")
    tags = [seen(await work("before"))]
    await perdure.wait_for(coin, every=0.002, timeout=60)
    return [*tags, seen(await work("after"))]
