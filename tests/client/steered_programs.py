"""Workflows that are paused, retried, started anew, forked and deleted; what they did is in `ran`."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict

import perdure

ran: list[str] = []
broken: set[str] = set()
"""The names whose steps fail for now."""
gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)


@perdure.step
def work(name: str) -> str:
    """It leaves a line, and fails while its name is broken."""
    ran.append(name)
    if name in broken:
        raise OSError(f"{name} is broken")
    return name.upper()


@perdure.step
def waits(name: str) -> str:
    """It begins, and waits for the test."""
    ran.append(name)
    gates[f"{name} began"].set()
    assert gates[name].wait(60)
    return name.upper()


@perdure.step
def takes_back(name: str) -> None:
    """It undoes."""
    ran.append(f"undo {name}")


@perdure.step(undo=takes_back)
def effect(name: str) -> str:
    """It can be undone."""
    ran.append(name)
    return name.upper()


@perdure.workflow
def three(first: str = "a") -> list[str]:
    """Three steps."""
    return [work(first), work("b"), work("c")]


@perdure.workflow
def other_three(first: str = "a") -> list[str]:
    """Other code for the same steps."""
    return [work(first), work("b"), work("c"), work("d")]


@perdure.workflow
def gated() -> list[str]:
    """A step that waits for the test, and one after it."""
    return [waits("gate"), work("after")]


@perdure.workflow
def child(name: str) -> str:
    """A child with a step that works before one that may be broken."""
    work(f"before {name}")
    return work(name)


@perdure.workflow
def parent() -> list[str]:
    """Two children, one after the other asked for."""
    work("begin")
    handles = [perdure.start(child, name) for name in ("x", "y")]
    return [handle.result() for handle in handles]


@perdure.workflow
async def gathers() -> list[str]:
    """Children at the same time."""
    handles = [await perdure.astart(child, name) for name in ("x", "y")]
    return list(await asyncio.gather(*(handle.wait() for handle in handles)))


@perdure.workflow
def maps() -> list[str | None]:
    """A step, and children of a branch of their own."""
    return [work("a"), *(mapped.value for mapped in perdure.map(child, ["x", "y"]))]


@perdure.workflow
def receives() -> list[str]:
    """A step, a message, a step."""
    return [work("a"), perdure.recv(topic="t"), work("b")]


@perdure.workflow
def saga() -> str:
    """An effect that is undone where what follows fails."""
    effect("paid")
    return work("shipped")


@perdure.workflow
def sends(run_id: str) -> None:
    """It tells another run."""
    perdure.send(run_id, work("hello"), topic="t")


@perdure.workflow
def steers(run_id: str) -> list[object]:
    """It pauses and resumes another run, and retries what failed."""
    return [
        perdure.runs.pause(run_id),
        perdure.runs.resume(run_id),
        perdure.runs.retry(workflow="nobody:knows").count,
        perdure.runs.fork(run_id).result(),
    ]


@perdure.workflow
async def asteers(run_id: str) -> list[object]:
    """The same, async."""
    return [await perdure.runs.apause(run_id), await perdure.runs.aresume(run_id)]


@perdure.workflow
async def patient(name: str) -> str:
    """It waits durably."""
    await asyncio.sleep(0)
    await perdure.sleep(3600)
    return name


@perdure.step(retries=perdure.Retry(attempts=2, initial_seconds=0, then="pause"))
def insists(name: str) -> str:
    """It fails while its name is broken, and then asks people."""
    return work(name)


@perdure.workflow
def asks_people() -> list[str]:
    """A step before the one that asks people, one after it."""
    return [work("a"), insists("b"), work("c")]


@perdure.workflow
async def asks_beside() -> list[str]:
    """A branch asks people, another one goes on."""

    async def one(name: str) -> str:
        return insists(name) if name == "b" else work(name)

    return list(await asyncio.gather(*(one(name) for name in "abc")))


@perdure.step
def streamed_step(name: str) -> str:
    """It writes to the run's stream."""
    perdure.stream("s").write(f"{name} in a step")
    return work(name)


@perdure.workflow
def streams_beside_effects() -> list[str]:
    """It writes behind the note of an effect, and before a step."""
    out = perdure.stream("s")
    done = [effect("paid")]
    out.write("paid")
    return [*done, work("b"), work("c")]


@perdure.workflow
def goes_round(number: int) -> list[str]:
    """A round, and one more with two steps."""
    begin = work(f"round {number}")
    if not number:
        perdure.continue_as_new(1)
    return [begin, work("b")]


@perdure.workflow
def streams() -> list[str]:
    """A workflow and its steps write."""
    out = perdure.stream("s")
    seen = []
    for name in "ab":
        out.write(f"before {name}")
        seen.append(streamed_step(name))
    out.write("end")
    return seen
