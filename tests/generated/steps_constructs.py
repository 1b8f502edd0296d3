"""Constructs without branches, for async workflows, sync ones and threads: steps, values, sleeps, children."""

from __future__ import annotations

import random

from tests.generated.program import Node, Writer, construct

EVERYWHERE = ("async", "sync", "thread")


def chance_of(node: Node) -> random.Random:
    """The node's own small choices."""
    return random.Random(node.salt)  # noqa: S311  # not for secrets


@construct(*EVERYWHERE)
def step(w: Writer, node: Node) -> None:
    w.add(w.take())


@construct("async")
def quick(w: Writer, node: Node) -> None:
    w.add(f"out.append(seen(await quick({w.tag()})))")


@construct("async")
def sync_step(w: Writer, node: Node) -> None:
    w.add(f"out.append(seen(count({w.tag()})))")


@construct(*EVERYWHERE)
def pure(w: Writer, node: Node) -> None:
    for _ in range(chance_of(node).choice([1, 3])):
        call = f"await compute({w.tag()})" if w.world == "async" else f"sync_compute({w.tag()})"
        w.add(f"out.append(seen({call}))")


@construct("async")
def sync_pure(w: Writer, node: Node) -> None:
    w.add(f"out.append(seen(sync_compute({w.tag()})))")


@construct(*EVERYWHERE)
def error(w: Writer, node: Node) -> None:
    with w.block("try:"):
        w.add(f"await fail({w.tag()})" if w.world == "async" else f"sync_fail({w.tag()})")
    with w.block("except ValueError as error:"):
        w.add("out.append(seen(error))")


@construct(*EVERYWHERE)
def retry(w: Writer, node: Node) -> None:
    call = f"await flaky({w.tag()})" if w.world == "async" else f"sync_flaky({w.tag()})"
    w.add(f"out.append(seen({call}))")


@construct("async")
def tell(w: Writer, node: Node) -> None:
    w.add(f"out.append(seen(await tell({w.tag()}, seen.log[-5:])))")


@construct(*EVERYWHERE)
def sleep(w: Writer, node: Node) -> None:
    seconds = chance_of(node).choice([0, 0.001, 0.004])
    w.add(f"{'await ' if w.world == 'async' else ''}perdure.sleep({seconds})")
    w.add(f"out.append(seen({w.tag()}))")


@construct(*EVERYWHERE)
def values(w: Writer, node: Node) -> None:
    drawn = w.name("drawn")
    w.add(f"{drawn} = perdure.{chance_of(node).choice(['now', 'random', 'uuid4'])}()")
    w.add(f"seen({drawn})")
    if w.world == "async":
        w.add(f"out.append(seen(await tell({w.tag()}, [str({drawn})])))")


@construct(*EVERYWHERE)
def decide(w: Writer, node: Node) -> None:
    with w.block("if perdure.random() < 0.5:"):
        w.add(f"seen({w.step()})")
    w.add(w.take())


@construct("async")
def yield_(w: Writer, node: Node) -> None:
    w.add("await asyncio.sleep(0)")
    w.add(w.take())


@construct(*EVERYWHERE)
def direct_child(w: Writer, node: Node) -> None:
    w.add(f"out.append(seen({'await child' if w.world == 'async' else 'sync_child'}({w.child_tag()})))")


@construct("async")
def started_child(w: Writer, node: Node) -> None:
    made = chance_of(node).choice(
        ["await perdure.astart(child, {0})", "perdure.start(child, {0})", "await QUEUE.asubmit(sync_child, {0})"]
    )
    handle = w.name("handle")
    w.add(f"{handle} = {made.format(w.child_tag())}")
    w.add(w.take())
    w.add(f"out.append(seen(await {handle}))")


@construct("async")
def many_children(w: Writer, node: Node) -> None:
    handles, tags = w.name("handles"), f"[{w.child_tag()}, {w.child_tag()}, {w.child_tag()}]"
    w.add(f"{handles} = [await QUEUE.asubmit(child, tag) for tag in {tags}]")
    wait = chance_of(node).choice(["*{0}", "*(handle.wait() for handle in {0})"]).format(handles)
    with w.block(f"for value in await asyncio.gather({wait}):"):
        w.add("out.append(seen(value))")


@construct("sync", "thread")
def started_sync_child(w: Writer, node: Node) -> None:
    made = chance_of(node).choice(
        ["perdure.start(sync_child, {0})", "QUEUE.submit(sync_child, {0})", "perdure.start(sync_work, {0})"]
    )
    handle = w.name("handle")
    w.add(f"{handle} = {made.format(w.child_tag())}")
    w.add(w.take())
    w.add(f"out.append(seen({handle}.result()))")


@construct("sync", "thread")
def mapped_children(w: Writer, node: Node) -> None:
    with w.block(f"for value in QUEUE.map(sync_child, [{w.child_tag()}, {w.child_tag()}, {w.child_tag()}]):"):
        w.add("out.append(seen(value))")


@construct(*EVERYWHERE)
def ended_children(w: Writer, node: Node) -> None:
    """Children as they end; what has ended so far is told each time, so that another order on replay differs."""
    handles, done, ended = w.name("handles"), w.name("done"), w.name("ended")
    tags = f"[{w.child_tag()}, {w.child_tag()}, {w.child_tag()}]"
    a, wait = ("async ", "await ") if w.world == "async" else ("", "")
    submit, value = ("await QUEUE.asubmit", f"await {ended}") if a else ("QUEUE.submit", f"{ended}.result()")
    w.add(f"{handles}, {done} = [{submit}(sync_child, tag) for tag in {tags}], []")
    if chance_of(node).random() < 0.5:
        loop = f"{a}for {ended} in perdure.as_completed({handles}):"
    else:
        loop = f"while {handles}:"
    with w.block(loop):
        if loop.startswith("while"):
            w.add(f"{ended} = {wait}perdure.first(*{handles})")
            w.add(f"{handles}.remove({ended})")
        w.add(f"{done}.append(seen({value}))")
        told = f"await tell(f'{{{done}[-1]}} ended', {done})" if a else f"sync_work(f'{{{done}[-1]}} ended')"
        w.add(f"seen({told})")
    w.add(f"out += sorted({done})")


@construct("sync", "thread", parts=(1, 4))
def threads(w: Writer, node: Node) -> None:
    made, futures = [w.branch(part) for part in node.parts], w.name("futures")
    limit = chance_of(node).choice(["", "2", "1"])
    with w.block(f"with perdure.threads({limit}) as pool:"):
        w.add(f"{futures} = [pool.submit(branch) for branch in [{', '.join(made)}]]")
        if chance_of(node).random() < 0.5:
            w.add(f"direct = pool.submit(sync_work, {w.tag()})")
            w.add("out.append(seen(direct.result()))")
        with w.block(f"for future in {futures}:"):
            w.add("out += future.result()")


@construct("sync", "thread")
def mapped_threads(w: Writer, node: Node) -> None:
    tags = f"[{w.tag()}, {w.tag()}, {w.tag()}]"
    with w.block("with perdure.threads(2) as pool:"), w.block(f"for value in pool.map(sync_work, {tags}):"):
        w.add("out.append(seen(value))")


@construct("sync", "thread")
def thread_pool(w: Writer, node: Node) -> None:
    """Threads that pop from one list: one at a time runs the workflow's own code, so no lock is needed."""
    todo, done, worker = w.name("todo"), w.name("done"), w.name("worker")
    w.add(f"{todo}, {done} = [{', '.join(w.tag() for _ in range(5))}], []")
    with w.block(f"def {worker}() -> None:"), w.block(f"while {todo}:"):
        w.add(f"{done}.append(seen(sync_work({todo}.pop(0))))")
    with w.block("with perdure.threads(3) as pool:"):
        w.add("futures = [pool.submit(worker) for worker in [" + ", ".join([worker] * 3) + "]]")
        with w.block("for future in futures:"):
            w.add("future.result()")
    w.add(f"out += sorted({done})")
