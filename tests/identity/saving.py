"""A step that saves row by row, in a process that may kill itself at its nth note.

python -m tests.identity.saving URL LEDGER DIES_AT
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count

import perdure
from perdure import progress, save, saved, step, workflow

LEDGER, DIES_AT = sys.argv[2], int(sys.argv[3])
ROWS = 4
number = count(1)


def note(line: str) -> None:
    """Add a line to the ledger, and die if it is time to."""
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{line}\n".encode())
    os.close(file)
    if next(number) == DIES_AT:
        os.kill(os.getpid(), signal.SIGKILL)


@step
def rows(name: str) -> list[int]:
    """Some rows, each worked on between two saves."""
    done: list[int] = saved([])
    for row in range(len(done), ROWS):
        note(f"{name} {row} begins")
        done.append(row)
        progress(row, ROWS)
        save(done)
        note(f"{name} {row} saved")
    return done


@workflow
def both() -> list[list[int]]:
    """Two of them."""
    return [rows("a"), rows("b")]


if __name__ == "__main__":
    with perdure.running(sys.argv[1], poll_seconds=0.05):
        run = perdure.with_options(id="both").start(both)
        assert run.result(60) == [list(range(ROWS))] * 2
        assert not [one for one in perdure.runs.get("both").steps if one.kind == "saved"]
