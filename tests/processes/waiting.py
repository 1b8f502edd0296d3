"""Waiting for what only rows can tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PATIENCE_SECONDS = 20.0
_LOOKS_EVERY_SECONDS = 0.01


def wait_until(is_so: Callable[[], bool]) -> None:
    """Look again and again, for as long as a test's patience lasts."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    never = threading.Event()
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        never.wait(_LOOKS_EVERY_SECONDS)
