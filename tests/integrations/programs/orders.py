"""A service in FastAPI, Flask and Litestar: an order is packed when the file that its test names is there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import perdure

NOTES = Path(os.environ.get("NOTES", "."))


@perdure.step(name="orders.charge")
def charge(item: str) -> int:
    """Leaves a line for each time that it runs."""
    note(f"charged {item}")
    return 7


@perdure.step(name="orders.pack")
def pack(item: str) -> str:
    """Packs when the file is there."""
    note(f"packing {item} in {os.getpid()}")
    until = time.monotonic() + 60
    while not (NOTES / f"may-pack-{item}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    return f"packed {item}"


def note(line: str) -> None:
    """One line, whole, whoever writes beside."""
    with (NOTES / "notes").open("a") as notes:
        notes.write(line + "\n")
