"""The shapes of being asked: updates, refused and accepted, between the run's own steps, and queries of another run."""

from __future__ import annotations

import perdure
from tests.generated.shapes import shape
from tests.generated.vocabulary import observe, sync_work, work


def refuse(tag: str) -> None:
    """Refuses one thing."""
    if tag == "no":
        raise ValueError(tag)


@perdure.workflow
async def asking(run_id: str, *tags: str) -> None:
    """Asks another run for updates, one after the other; what is refused stays refused."""
    handle = perdure.handle(run_id)
    for number, tag in enumerate(tags):
        try:
            assert await handle.aupdate("do", tag) == tag
        except perdure.UpdateRefusedError:
            assert tag == "no"
        assert len(await handle.aquery("done")) >= len([one for one in tags[: number + 1] if one != "no"])
    await perdure.send(run_id, "enough")


@shape("before", "one", "two", "after")
async def updated() -> list[str]:
    seen = observe("updated")
    tags: list[str] = []

    async def do(tag: str) -> str:
        tags.append(seen(await work(tag)))
        return tag

    perdure.on_query("done", lambda: list(tags))
    perdure.on_update("do", do, validate=refuse)
    before = seen(await work("before"))
    handle = await perdure.astart(asking, perdure.current().run_id, "one", "no", "two")
    await perdure.recv()
    await handle
    return [before, *tags, seen(await work("after"))]


@shape("before", "one", "two", "after")
def sync_updated() -> list[str]:
    seen = observe("sync_updated")
    tags: list[str] = []

    def do(tag: str) -> str:
        tags.append(seen(sync_work(tag)))
        return tag

    perdure.on_query("done", lambda: list(tags))
    perdure.on_update("do", do, validate=refuse)
    before = seen(sync_work("before"))
    handle = perdure.start(asking, perdure.current().run_id, "one", "no", "two")
    perdure.recv()
    handle.result()
    return [before, *tags, seen(sync_work("after"))]


@shape("one", "two", "last")
async def updated_to_the_end() -> list[str]:
    seen = observe("updated_to_the_end")
    tags: list[str] = []

    async def do(tag: str) -> str:
        tags.append(seen(await work(tag)))
        return tag

    perdure.on_query("done", lambda: list(tags))
    perdure.on_update("do", do)
    handle = await perdure.astart(asking, perdure.current().run_id, "one", "two")
    await handle
    return [*tags, seen(await work("last"))]


@perdure.workflow
async def asking_once(run_id: str, tag: str) -> None:
    """Asks another run for one update."""
    assert await perdure.handle(run_id).aupdate("do", tag) == tag


@shape("one", "last")
async def updates_finished() -> list[str]:
    seen = observe("updates_finished")
    tags: list[str] = []

    async def do(tag: str) -> str:
        await perdure.send(perdure.current().run_id, tag, topic="begun")
        tags.append(seen(await work(tag)))
        return tag

    perdure.on_update("do", do)
    handle = await perdure.astart(asking_once, perdure.current().run_id, "one")
    await perdure.recv("begun")
    await perdure.finish_updates()
    result = [*tags, seen(await work("last"))]
    await handle
    return result


@shape("one", "last")
def sync_updates_finished() -> list[str]:
    seen = observe("sync_updates_finished")
    tags: list[str] = []

    def do(tag: str) -> str:
        perdure.send(perdure.current().run_id, tag, topic="begun")
        tags.append(seen(sync_work(tag)))
        return tag

    perdure.on_update("do", do)
    handle = perdure.start(asking_once, perdure.current().run_id, "one")
    perdure.recv("begun")
    perdure.finish_updates()
    result = [*tags, seen(sync_work("last"))]
    handle.result()
    return result
