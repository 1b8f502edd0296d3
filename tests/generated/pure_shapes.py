"""The shapes of steps without effects, which give something else each time."""

from __future__ import annotations

import asyncio

from tests.generated.shapes import shape
from tests.generated.vocabulary import compute, observe, sync_compute, sync_work, tell


@shape("a", "b", "c", "d", "e", "f", begins=("named", "called"))
def pure_sync() -> list[str]:
    seen = observe("pure_sync")
    begun = [seen(sync_compute(tag)) for tag in "abc"]
    return [*begun, seen(sync_work("d")), seen(sync_compute("e")), seen(sync_compute("f"))]


@shape("a", "b", "c", "d", "end")
async def pure_async() -> list[str]:
    seen = observe("pure_async")

    async def one(first: str, second: str) -> list[str]:
        begun = [seen(await compute(first)), seen(sync_compute(second))]
        seen(await tell(f"{first} told", list(seen.log)))
        return begun

    (a, b), (c, d) = await asyncio.gather(one("a", "b"), one("c", "d"))
    return [a, b, c, d, seen(await compute("end"))]
