"""The ledger outside any database: one line for every call of a model or tool that began, under its step's key."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import perdure
from tests.generated.notes import DEATH

_file = -1
_path = Path()


def open_ledger(path: str) -> None:
    """Write to this file from now on."""
    global _file, _path
    _path = Path(path)
    _file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def note(what: str) -> None:
    """A model or tool was really called. In a workflow and outside a step it has no key, which no program may do."""
    if perdure.where() is None:
        return
    key = perdure.idempotency_key()
    if _file >= 0:
        os.write(_file, f"{key} {what}\n".encode())
        DEATH.tick("note")


def reading(ledger: Path | None = None) -> Path:
    """The file in which a live reader of the run notes what it has seen: beside this ledger, or the one in use."""
    return (ledger or _path).with_suffix(".read")


def read_ledger(path: Path) -> Counter[tuple[str, str]]:
    """How often each call began: by the key of its step and what was called."""
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter((key, what) for key, _, what in (line.partition(" ") for line in lines))
