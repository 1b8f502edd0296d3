"""What the worker of the tests executes."""

from __future__ import annotations

import threading
from pathlib import Path

import perdure

app = perdure.Perdure(shutdown_seconds=0.2)
queue = perdure.Queue("slow-tests", worker_concurrency=4)


@perdure.step
def quick(number: int) -> int:
    return number


@perdure.step
def hold(fifo: str) -> None:
    """Say that it runs, and never end."""
    Path(fifo).write_text("running", encoding="utf-8")
    threading.Event().wait()
