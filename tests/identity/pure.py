"""Pure steps that give something else each time, in a process that may kill itself at its nth note.

python -m tests.identity.pure URL LEDGER DIES_AT KIND
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from itertools import count

import perdure
from perdure import step, workflow

LEDGER, DIES_AT, KIND = sys.argv[2], int(sys.argv[3]), sys.argv[4]
ROUNDS = 3
number = count(1)


def note(line: str) -> None:
    """Add a line to the ledger, and die if it is time to."""
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{line}\n".encode())
    os.close(file)
    if next(number) == DIES_AT:
        os.kill(os.getpid(), signal.SIGKILL)


@step(pure=True)
def draw(place: str) -> str:
    """Something else each time. Its notes are of no effect."""
    note("drawn")
    return f"{place}={uuid.uuid4().hex[:8]}"


@step(pure=True)
async def adraw(place: str) -> str:
    """The same, async."""
    return draw.__wrapped__(place)


@step
def act(told: list[str]) -> None:
    """It says outside what it was told."""
    note("seen " + ",".join(told))
    note("acted")


@workflow
def draws() -> list[str]:
    """Chains of pure steps, and what they lead to."""
    told: list[str] = []
    for each in range(ROUNDS):
        told += [draw(f"{each}a"), draw(f"{each}b")]
        perdure.set_event(f"{each}", told)
        told.append(draw(f"{each}c"))
        act(told)
        told.append(draw(f"{each}d"))
    return told


@workflow
async def adraws() -> list[str]:
    """The same in branches that share what they know."""
    told: list[str] = []

    async def branch(name: str) -> None:
        for each in range(ROUNDS - 1):
            told.append(await adraw(f"{name}{each}a"))
            told.append(await adraw(f"{name}{each}b"))
            act(list(told))

    await asyncio.gather(branch("x"), branch("y"))
    perdure.set_event("all", told)
    return told


if __name__ == "__main__":
    with perdure.running(sys.argv[1], poll_seconds=0.05):
        run = perdure.with_options(id="draws").start(adraws if KIND == "async" else draws)
        told = run.result(60)
        events = [value for said in run.events().values() for value in said]
        print(",".join([*told, *events]))
