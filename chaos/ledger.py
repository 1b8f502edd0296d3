"""The ledger outside any database: a line for every body that begins, and for every end that a run has seen.

A body's outcome is a *token* that is made once, of the process and a number: a body that is repeated makes another one.
A later body notes the tokens that it was given. So whoever compares the ledger with the database sees whether an
outcome that was built on has changed, and which process has written it.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

LEDGER, NAME = "PERDURE_CHAOS_LEDGER", "PERDURE_CHAOS_NAME"
BODY, ENTRY, CLOSED, END = "body", "entry", "closed", "end"
_numbers = count(1)


def note(kind: str, run_id: str, key: str, seen: list[str]) -> str:
    """Append a line in one write, so that lines never mix; the new token."""
    token = f"{os.environ[NAME]}.{next(_numbers)}"
    descriptor = os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        line = f"{time.time():.6f} {kind} {run_id} {key or '-'} {token} {','.join(seen) or '-'}\n"
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
    return token


@dataclass(frozen=True, slots=True)
class Line:
    """What was noted: when, by which process (in the token), of which call of which run, and what it had seen."""

    at: float
    kind: str
    run_id: str
    key: str
    token: str
    seen: tuple[str, ...]

    @property
    def process(self) -> str:
        """The name of the process that noted it."""
        return self.token.rsplit(".", 1)[0]


class Ledger:
    """The file as it is read while others write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[Line] = []
        self.ended: set[str] = set()
        self.begun: dict[str, Line] = {}
        self._lock = threading.Lock()
        path.touch(0o666)
        self._file = path.open("rb")
        self._rest = b""

    def read(self) -> list[Line]:
        """The lines that have come since the last reading."""
        with self._lock:
            *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
            new = [_parsed(line.decode()) for line in whole]
            self.lines += new
            self.ended.update(line.run_id for line in new if line.kind == END)
            self.begun.update((line.token, line) for line in new if line.kind != CLOSED)
            return new

    def in_transactions(self, since: float) -> set[str]:
        """Which processes were in the middle of a transaction that they had begun since then, as far as was read."""
        recent = [line for line in self.lines[-5000:] if line.at >= since]
        closed = {line.seen[0] for line in recent if line.kind == CLOSED}
        return {line.process for line in recent if line.kind == ENTRY and line.token not in closed}

    def close(self) -> None:
        """Read no more."""
        self._file.close()


def _parsed(line: str) -> Line:
    at, kind, run_id, key, token, seen = line.split(" ")
    return Line(float(at), kind, run_id, key, token, () if seen == "-" else tuple(seen.split(",")))
