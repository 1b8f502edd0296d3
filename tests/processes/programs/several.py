"""A program that waits for several of its runs, and dies in its first life when it has seen them all end."""

from __future__ import annotations

import os
import sys
import time

import perdure
from perdure import Queue, step, workflow

queue = Queue("several", worker_concurrency=8)
IS_FIRST_LIFE = sys.argv[3] == "first"


@step
def work(number: int) -> int:
    """The last begun ends first."""
    time.sleep(0.03 * (6 - number))
    return number


@step
def note(seen: list[int], late: int) -> int:
    """What was seen so far: a replay that sees something else differs here."""
    return len(seen)


@step
async def anote(seen: list[int], late: int) -> int:
    """The same."""
    return len(seen)


@step
def last() -> str:
    """The process dies in it, once."""
    if IS_FIRST_LIFE:
        os._exit(77)
    return "last"


@workflow
def sync_run() -> list[int]:
    """With threads."""
    seen: list[int] = []
    late = 0
    handles = [queue.submit(work, number) for number in range(6)]
    while True:
        try:
            perdure.first(*handles, timeout=0.01)
            break
        except perdure.WaitTimeoutError:
            late += 1
    try:
        handles[0].result(timeout=0)
    except perdure.WaitTimeoutError:
        late += 100
    for handle in perdure.as_completed(handles):
        seen.append(handle.result())
        note(seen, late)
    last()
    return seen


@workflow
async def async_run() -> list[int]:
    """On an event loop."""
    seen: list[int] = []
    late = 0
    handles = [await queue.asubmit(work, number) for number in range(6)]
    while True:
        try:
            await perdure.first(*handles, timeout=0.01)
            break
        except perdure.WaitTimeoutError:
            late += 1
    async for handle in perdure.as_completed(handles):
        seen.append(await handle)
        await anote(seen, late)
    last()
    return seen


if __name__ == "__main__":
    with perdure.running(sys.argv[1], replay_patience_seconds=3.0):
        run = perdure.with_options(id="r").start(sync_run if sys.argv[2] == "sync" else async_run)
        print(run.result(20), flush=True)
