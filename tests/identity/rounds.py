"""A run that goes on as a new one, in a process that may kill itself at its nth note.

python -m tests.identity.rounds URL LEDGER DIES_AT
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count

import perdure
from perdure import continue_as_new, idempotency_key, step, workflow

LEDGER, DIES_AT = sys.argv[2], int(sys.argv[3])
number = count(1)


def note(line: str) -> None:
    """Add a line to the ledger, and die if it is time to."""
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{line}\n".encode())
    os.close(file)
    if next(number) == DIES_AT:
        os.kill(os.getpid(), signal.SIGKILL)


@step
def work(of_round: int) -> str:
    """The effect of a round."""
    note(f"body {of_round} {idempotency_key()}")
    return idempotency_key()


@workflow
def loop(of_round: int, keys: list[str]) -> list[str]:
    """Three rounds, with a nap in each."""
    note("begins")
    keys = [*keys, work(of_round)]
    perdure.sleep(0.02)
    note("ends")
    if of_round < 2:
        continue_as_new(of_round + 1, keys)
    return keys


if __name__ == "__main__":
    with perdure.running(sys.argv[1], poll_seconds=0.05):
        run = perdure.with_options(id="loop").start(loop, 0, [])
        assert run.result(60) == ["loop:0", "loop:1:0", "loop:2:0"]
