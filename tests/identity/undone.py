"""A run whose effects are undone, in a process that may kill itself at its nth note; it ends when all is undone.

python -m tests.identity.undone URL LEDGER DIES_AT
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count

import perdure
from perdure import step, undo, workflow

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
def back(name: str, outcome: str = "") -> None:
    """What undoes it."""
    note(f"back {name} {outcome} begins")
    note(f"back {name} ends")


@step(undo=back)
def take(name: str) -> str:
    """What is undone."""
    note(f"take {name} begins")
    note(f"take {name} ends")
    return name.upper()


@workflow
def trip() -> None:
    """It fails in the end."""
    take("a")
    undo(back, "said")
    take("b")
    note("fails")
    raise RuntimeError


if __name__ == "__main__":
    with perdure.running(sys.argv[1], poll_seconds=0.05):
        run = perdure.with_options(id="trip").start(trip)
        assert isinstance(run.exception(60), RuntimeError)
        assert perdure.handle("trip:undo").result(60) == [back.__perdure__.name] * 3  # type: ignore[attr-defined]
