"""What the worker of the tests executes."""

from __future__ import annotations

import signal
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


@perdure.step
def is_told_beside() -> None:
    """SIGTERM, as it comes in the moment before the main thread waits: it does not interrupt what that waits for."""
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    threading.Event().wait()
