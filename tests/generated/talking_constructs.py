"""Constructs of talking: messages to oneself, events, and updates that another run asks for, anywhere in a program."""

from __future__ import annotations

from tests.generated.program import Node, Writer, construct
from tests.generated.steps_constructs import EVERYWHERE

ME = "perdure.current().run_id"


def wait(w: Writer) -> str:
    """What stands before a call that is awaited where one can."""
    return "await " if w.world == "async" else ""


@construct(*EVERYWHERE)
def letter(w: Writer, node: Node) -> None:
    """Sent, and received after a step."""
    topic = w.name("topic")
    w.add(f'{wait(w)}perdure.send({ME}, {w.tag()}, topic="{topic}")')
    w.add(w.take())
    w.add(f'out.append(seen({wait(w)}perdure.recv("{topic}")))')


@construct("async")
def awaited_letter(w: Writer, node: Node) -> None:
    """One branch waits for what another one sends."""
    topic, receive, task = w.name("topic"), w.name("receive"), w.name("task")
    with w.block(f"async def {receive}() -> str:"):
        w.add(f'return seen(await perdure.recv("{topic}"))')
    w.add(f"{task} = asyncio.create_task({receive}())")
    w.add(w.take())
    w.add(f'await perdure.send({ME}, {w.tag()}, topic="{topic}")')
    w.add(f"out.append(await {task})")


@construct(*EVERYWHERE)
def event(w: Writer, node: Node) -> None:
    """Said, and read after a step."""
    key = w.name("key")
    w.add(f'perdure.set_event("{key}", {w.tag()})')
    w.add(w.take())
    w.add(f'out.append(seen({wait(w)}perdure.get_event({ME}, "{key}")))')


@construct(*EVERYWHERE)
def update(w: Writer, node: Node) -> None:
    """A child asks for it while the program does something else; it takes a step."""
    do, handle = w.name("do"), w.name("handle")
    a = "async " if w.world == "async" else ""
    with w.block(f"{a}def {do}(tag: str) -> str:"):
        w.add(f"value = {'await work' if a else 'sync_work'}(tag)")
        w.add("seen(value)")
        w.add("return value")
    w.add(f'perdure.on_update("{do}", {do})')
    start, asks = ("await perdure.astart", "asks") if a else ("perdure.start", "sync_asks")
    w.add(f'{handle} = {start}({asks}, {ME}, "{do}", {w.tag()})')
    w.add(w.take())
    w.add(f"out.append(seen({f'await {handle}' if a else f'{handle}.result()'}))")
