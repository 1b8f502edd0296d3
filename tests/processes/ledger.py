"""The ledger outside any database: one appended line for every body that begins, whatever becomes of its process."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "PERDURE_TEST_LEDGER"


def note(*words: object) -> None:
    """Append one line, with the writing process's id in front; a single write, so that lines never mix."""
    descriptor = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, (" ".join(map(str, (os.getpid(), *words))) + "\n").encode())
    finally:
        os.close(descriptor)


def read_notes(path: Path) -> list[tuple[int, list[str]]]:
    """All lines so far: who wrote it, and what."""
    if not path.exists():
        return []
    lines = [line.split() for line in path.read_text().splitlines()]
    return [(int(pid), words) for pid, *words in lines]
