"""What the processes of `benchmarks.workers` share: a queue, a step that says when it began, and one that holds on."""

from __future__ import annotations

import time
from pathlib import Path

from perdure import Queue, step

queue = Queue("workers", worker_concurrency=4)


@step(name="bench:stamp")
def stamp() -> float:
    """When the body began, by this machine's clock."""
    return time.time()


@step(name="bench:hold")
def hold(mark: str) -> None:
    """Say that the body runs, and go on when told to."""
    Path(mark).touch()
    while not Path(f"{mark}.go").exists():
        time.sleep(0.002)
