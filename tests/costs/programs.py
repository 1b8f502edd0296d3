"""The shapes whose costs are counted."""

from __future__ import annotations

import asyncio
import threading

import perdure
from perdure import Queue, step, workflow

queue = Queue("costs")
narrow = Queue("costs, one at a time", worker_concurrency=1)


@step
def add(number: int) -> int:
    """A step that does next to nothing."""
    return number + 1


@step
async def aadd(number: int) -> int:
    """The same, async."""
    return number + 1


@workflow
def steps(number: int) -> int:
    """So many steps, one after the other."""
    value = 0
    for _ in range(number):
        value = add(value)
    return value


@workflow
async def asteps(number: int) -> int:
    """The same, async."""
    value = 0
    for _ in range(number):
        value = await aadd(value)
    return value


@step(pure=True)
def pure(number: int) -> int:
    """A step without effects."""
    return number + 1


@step(pure=True)
async def apure(number: int) -> int:
    """The same, async."""
    return number + 1


@workflow
def pure_steps(number: int, then: int = 0) -> int:
    """So many steps without effects, and then so many with."""
    value = 0
    for _ in range(number):
        value = pure(value)
    for _ in range(then):
        value = add(value)
    return value


@workflow
async def apure_steps(number: int, then: int = 0) -> int:
    """The same, async."""
    value = 0
    for _ in range(number):
        value = await apure(value)
    for _ in range(then):
        value = await aadd(value)
    return value


@workflow
def values(number: int) -> None:
    """So many recorded values, one after the other."""
    for _ in range(number):
        perdure.random()


@workflow
def children(number: int, narrowly: bool) -> int:
    """So many queued steps, submitted in a loop and then waited for."""
    chosen = narrow if narrowly else queue
    handles = [chosen.submit(add, each) for each in range(number)]
    return sum(handle.result() for handle in handles)


@workflow
async def achildren(number: int) -> int:
    """The same from a coroutine, waited for together."""
    handles = [queue.submit(add, each) for each in range(number)]
    return sum(await asyncio.gather(*handles))


IS_WAITING = threading.Event()
MAY_GO_ON = threading.Event()


@step
def wait_for_word() -> None:
    """A step that runs until the test says so."""
    IS_WAITING.set()
    MAY_GO_ON.wait(60)


@workflow
def waits_for_word(number: int) -> int:
    """Some steps, then one that waits."""
    value = 0
    for _ in range(number):
        value = add(value)
    wait_for_word()
    return value


@workflow
def parked_receiver() -> int:
    """Waits for one message."""
    return int(perdure.recv())


@workflow
def sends(run_id: str, number: int) -> None:
    """So many messages, one after the other."""
    for each in range(number):
        perdure.send(run_id, each)


@workflow
def talks_to_itself(number: int) -> int:
    """So many messages at once, and then receives them."""
    me = perdure.current().run_id
    perdure.send_many([(me, each) for each in range(number)])
    return sum(perdure.recv() for _ in range(number))


@workflow
def says_so_often(number: int) -> None:
    """So many events."""
    for each in range(number):
        perdure.set_event("number", each)


def says(number: int, run_id: str | None = None) -> None:
    """A run that does, called or started under an id."""
    if run_id is None:
        says_so_often(number)
    else:
        perdure.with_options(id=run_id).start(says_so_often, number).result(60)


@workflow
def asks(run_id: str) -> int:
    """One event of another run."""
    return perdure.get_event(run_id, "number", type=int)


@workflow
def opens_hooks(number: int) -> None:
    """So many, for which nobody waits."""
    for _ in range(number):
        perdure.hook(int)


@workflow
def waits_for_hooks(number: int) -> int:
    """So many, which its test answers before it waits for them."""
    hooks = [perdure.hook(int, token=f"{perdure.current().run_id} {each}") for each in range(number)]
    wait_for_word()
    return sum(hook.wait() for hook in hooks)


@workflow
def rounds(number: int) -> int:
    """A step in each of so many rounds, and in the last."""
    add(number)
    if number > 0:
        perdure.continue_as_new(number - 1)
    return number


@step
def writes(number: int) -> int:
    """So many chunks."""
    for each in range(number):
        perdure.stream("numbers").write(each)
    return number


@workflow
def streams(number: int) -> int:
    """By a step."""
    return writes(number)


@step
def saves(number: int) -> int:
    """So many values for another attempt."""
    for each in range(number):
        perdure.progress(each, number)
        perdure.save(each)
    return number


@workflow
def saves_in_a_step(number: int) -> int:
    """One step."""
    return saves(number)
