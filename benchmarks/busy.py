"""A neighbour that computes: one thread in pure Python that never waits, for both contestants the same."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def busy_thread() -> Iterator[None]:
    """While the block runs, one thread counts."""
    is_over = False

    def compute() -> None:
        number = 0
        while not is_over:
            number += 1

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        is_over = True
        thread.join()


def gil_waits(seconds: float, steps: int) -> float:
    """How often a step gave the GIL away: beside the busy thread each time takes a switch interval to get it back, next
    to which everything else that a step does is little.
    """
    return seconds / steps / sys.getswitchinterval()
