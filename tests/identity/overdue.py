"""A run that its deadline ends, in a process that may kill itself at its nth note; over when all is undone.

python -m tests.identity.overdue URL LEDGER DIES_AT
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from pathlib import Path

import perdure
from perdure import step, workflow

LEDGER, DIES_AT = sys.argv[2], int(sys.argv[3])
SECONDS = 0.5
number = count(1)


def note(line: str) -> None:
    """Add a line to the ledger, and die if it is time to."""
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{line}\n".encode())
    os.close(file)
    if next(number) == DIES_AT:
        os.kill(os.getpid(), signal.SIGKILL)


@step
def back(name: str) -> None:
    """What undoes it."""
    note(f"back {name} begins")
    note(f"back {name} ends")


@step(undo=back)
def take(name: str) -> str:
    """What is undone."""
    note(f"take {name} begins")
    note(f"take {name} ends")
    return name


@workflow
def trip() -> None:
    """It waits for ever in the end."""
    take("a")
    note("between")
    take("b")
    note("waits")
    perdure.sleep(1_000_000)
    note("never")


if __name__ == "__main__":
    with perdure.running(sys.argv[1], poll_seconds=0.05, park_after_seconds=0.0) as app:
        run = perdure.with_options(id="trip", timeout=SECONDS).start(trip)
        error = run.exception(60)
        assert isinstance(error, perdure.RunTimeoutError), repr(error)
        details = perdure.runs.get("trip")
        taken = [one.outcome.strip('"') for one in details.steps if one.kind == "step" and not one.is_error]
        if any(one.kind == "undo" for one in details.steps):
            perdure.handle("trip:undo").result(60)
        lines = Path(LEDGER).read_text().splitlines()
        backs = [line.split()[1] for line in lines if line.startswith("back") and line.endswith("ends")]
        assert list(dict.fromkeys(backs)) == taken[::-1], (taken, lines)
        assert "never" not in lines
