"""Event loops that are not asyncio's: what is said where one of them runs our coroutines."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from ...errors import UsageError


def needed_loop() -> asyncio.AbstractEventLoop:
    """The running loop of asyncio. Raises `UsageError`, with the mend, where another library's loop runs, or none."""
    check_no_foreign_loop()
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise UsageError(
            "a coroutine of Perdure is awaited where no event loop of asyncio runs: run it with asyncio.run(...)"
        ) from None


def check_no_foreign_loop() -> None:
    """Raise `UsageError` where the calling code runs under trio or curio."""
    library = foreign_loop()
    if library is not None:
        raise UsageError(
            f"this code runs under {library}, and async workflows, steps and handles of Perdure need asyncio: call "
            f"sync workflows and `start(...).result()` in a thread ({THREADS[library]}), or run the program on asyncio "
            '(of anyio: anyio.run(main, backend="asyncio"))'
        )


THREADS = {"trio": "await trio.to_thread.run_sync(...)", "curio": "await curio.run_in_thread(...)"}


def foreign_loop() -> str | None:
    """The library, if a loop of one that is loaded runs in this thread; nothing is imported."""
    if asyncio._get_running_loop() is not None:
        return None
    trio: Any = sys.modules.get("trio.lowlevel")
    if trio is not None and trio.in_trio_task():
        return "trio"
    curio: Any = sys.modules.get("curio.meta")
    return "curio" if curio is not None and curio.curio_running() else None
