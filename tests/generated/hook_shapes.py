"""The shapes of waiting for an answer from outside."""

from __future__ import annotations

import asyncio

import perdure
from tests.generated.shapes import shape
from tests.generated.vocabulary import observe, sync_work, work


@perdure.workflow
async def resolving(token: str, tag: str) -> None:
    """Answers, and finds that it was answered."""
    await perdure.resolve(token, tag)
    try:
        await perdure.resolve(token, "too late")
    except perdure.HookResolvedError:
        return
    raise AssertionError("it was resolved twice")


@shape("a", "rejected", "nobody", "after")
async def hooks() -> list[str]:
    seen = observe("hooks")
    asked, refused = perdure.hook(str), perdure.hook(str, timeout=60)
    handle = await perdure.astart(resolving, asked.token, "a")
    tags = [seen(await asked)]
    await handle
    await perdure.reject(refused.token, "rejected")
    try:
        await refused
    except perdure.HookRejectedError as error:
        tags.append(seen(str(error)))
    tags.append(seen(await perdure.hook(str, timeout=0.01, default="nobody")))
    return [*tags, seen(await work("after"))]


@shape("own", "late", "after")
def sync_hooks() -> list[str]:
    seen = observe("sync_hooks")
    own = perdure.hook(str, token=f"of {perdure.current().run_id}")
    perdure.resolve(own.token, "own")
    tags = [seen(own.wait())]
    late = perdure.hook(str, timeout=0.01)
    try:
        late.wait()
    except perdure.WaitTimeoutError:
        tags.append(seen("late"))
    return [*tags, seen(sync_work("after"))]


@shape("one", "two", "after")
async def many_hooks() -> list[str]:
    seen = observe("many_hooks")
    asked = [perdure.hook(str) for _ in range(2)]

    async def one(hook: perdure.Hook[str]) -> str:
        return seen(await hook)

    tasks = [asyncio.create_task(one(hook)) for hook in asked]
    answering = [
        await perdure.astart(resolving, hook.token, tag) for hook, tag in zip(asked, ("one", "two"), strict=True)
    ]
    tags = await asyncio.gather(*tasks)
    for handle in answering:
        await handle
    return [*tags, seen(await work("after"))]
