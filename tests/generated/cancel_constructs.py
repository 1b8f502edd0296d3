"""Constructs of async workflows that cancel tasks: before they begin, in steps, in other waits, in their cleanup."""

from __future__ import annotations

from tests.generated.program import Node, Writer, construct
from tests.generated.steps_constructs import chance_of


@construct("async", parts=(1, 1))
def background(w: Writer, node: Node) -> None:
    """A task that is cancelled when the main work ends, however it ends."""
    task = w.name("task")
    w.add(f"{task} = asyncio.create_task(never({w.tag()}))")
    with w.block("try:"):
        w.body(node.parts[0])
    with w.block("finally:"):
        w.add(f"{task}.cancel()")
        with w.block("with contextlib.suppress(asyncio.CancelledError):"):
            w.add(f"await {task}")
    w.add(w.take())


@construct("async", parts=(1, 1))
def heartbeat(w: Writer, node: Node) -> None:
    """A task that takes steps again and again until the main work ends."""
    task, beat, first = w.name("task"), w.name("beat"), w.tag().strip('"')
    with w.block(f"async def {beat}() -> None:"):
        w.add("number = 0")
        with w.block("while True:"):
            w.add(f'seen(await work(f"{first} {{number}}"))')
            if chance_of(node).random() < 0.5:
                w.add("await perdure.sleep(0.002)")
            w.add("number += 1")
    w.add(f"{task} = asyncio.create_task({beat}())")
    w.body(node.parts[0])
    w.add(f"{task}.cancel()")
    w.add(f"await asyncio.gather({task}, return_exceptions=True)")


@construct("async")
def cancel_unbegun(w: Writer, node: Node) -> None:
    """A task that is cancelled before it has begun."""
    task = w.name("task")
    w.add(f"{task} = asyncio.create_task(never({w.tag()}))")
    w.add(f"{task}.cancel()")
    w.add(w.take())


@construct("async")
def cleanup(w: Writer, node: Node) -> None:
    """A cancelled task takes a step before it ends."""
    task, cleaner = w.name("task"), w.name("cleaner")
    with w.block(f"async def {cleaner}() -> str:"):
        with w.block("try:"):
            w.add(f"return await never({w.tag()})")
        with w.block("except asyncio.CancelledError:"):
            w.add(f"return seen({w.step()})")
    w.add(f"{task} = asyncio.create_task({cleaner}())")
    w.add(w.take())
    w.add(f"{task}.cancel()")
    w.add(f"out.append(await {task})")


@construct("async")
def interrupted(w: Writer, node: Node) -> None:
    """A task is cancelled in the middle of several steps and takes one more in its `finally`."""
    task, several = w.name("task"), w.name("several")
    with w.block(f"async def {several}(tags: list[str], last: str) -> None:"):
        with w.block("try:"), w.block("for tag in tags:"):
            w.add("seen(await work(tag))")
        with w.block("finally:"):
            w.add("seen(await work(last))")
    w.add(f"{task} = asyncio.create_task({several}([{', '.join(w.tag() for _ in range(5))}], {w.tag()}))")
    for _ in range(chance_of(node).randint(1, 3)):
        w.add(w.take())
    w.add(f"{task}.cancel()")
    w.add(f"await asyncio.gather({task}, return_exceptions=True)")


@construct("async")
def cancel_waits(w: Writer, node: Node) -> None:
    """Tasks that wait for something else than a step are cancelled."""
    lock, tasks = w.name("lock"), w.name("tasks")
    w.add(f"{lock} = asyncio.Lock()")
    possible = [
        "perdure.sleep(60)",
        "asyncio.Event().wait()",
        "asyncio.Queue().get()",
        f"{lock}.acquire()",
        f"asyncio.wait_for(never({w.tag()}), 60)",
    ]
    waits = chance_of(node).sample(possible, 3)
    w.add(f"await {lock}.acquire()")
    names = [w.name("wait") for _ in waits]
    for name, wait in zip(names, waits, strict=True):
        with w.block(f"async def {name}() -> None:"):
            w.add(f"await {wait}")
    w.add(f"{tasks} = [asyncio.create_task(one()) for one in ({', '.join(names)},)]")
    w.add(w.take())
    with w.block(f"for task in {tasks}:"):
        w.add("task.cancel()")
    w.add(f"out += [type(one).__name__ for one in await asyncio.gather(*{tasks}, return_exceptions=True)]")
    w.add(w.take())


@construct("async")
def shielded(w: Writer, node: Node) -> None:
    """Who waits is cancelled, what it waits for goes on."""
    inner, outer, waits = w.name("inner"), w.name("outer"), w.name("waits")
    w.add(f"{inner} = asyncio.create_task(work({w.tag()}))")
    with w.block(f"async def {waits}() -> None:"):
        w.add(f"await asyncio.shield({inner})")
    w.add(f"{outer} = asyncio.create_task({waits}())")
    w.add("await asyncio.sleep(0)")
    w.add(f"{outer}.cancel()")
    w.add(f"out.append(seen(await {inner}))")
    w.add(w.take())
