"""A program that maps many items, and dies in its first life when so many bodies have run: each leaves a line."""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections.abc import Iterator

import perdure
from perdure import step, workflow

URL, KIND, LIFE, COUNT, LINES = sys.argv[1:]
LIMIT = 20
DIES_AT = int(COUNT) // 2 if LIFE == "first" else -1
lines = os.open(LINES, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
bodies = 0
counting = threading.Lock()


def leave(number: int) -> int:
    """The effect outside."""
    global bodies
    with counting:
        bodies += 1
        if bodies == DIES_AT:
            os._exit(77)
        os.write(lines, f"{number}\n".encode())
    return -number


@step
def work(number: int) -> int:
    """A small thing."""
    return leave(number)


@step
async def awork(number: int) -> int:
    """The same."""
    return leave(number)


def items() -> Iterator[int]:
    """One after the other."""
    yield from range(int(COUNT))


@workflow
def sync_run() -> int:
    """With threads."""
    place = 0
    for item, value, _ in perdure.map(work, items(), limit=LIMIT):
        assert (item, value) == (place, -place)
        place += 1
    return place


@workflow
async def async_run() -> int:
    """On an event loop."""
    place = 0
    async for item, value, _ in perdure.map(awork, items(), limit=LIMIT):
        assert (item, value) == (place, -place)
        place += 1
    return place


if __name__ == "__main__":
    with perdure.running(URL, replay_patience_seconds=10.0):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run = perdure.with_options(id="r").start(sync_run if KIND == "sync" else async_run)
        print(run.result(300), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, flush=True)
