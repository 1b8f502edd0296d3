"""Started runs share one limit: a sync one takes a thread of it, an async one an eighth."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import perdure
from perdure import workflow

THREADS = 2
began = threading.Semaphore(0)
may_end = threading.Event()


@workflow
def waits() -> None:
    """Until the test says so."""
    began.release()
    assert may_end.wait(60)


@workflow
async def awaits() -> None:
    """The same, without a thread."""
    began.release()
    assert await asyncio.to_thread(may_end.wait, 60)


def count_begun(function: object, path: Path, many: int) -> int:
    """How many of so many that are started execute at once."""
    may_end.clear()
    with perdure.running(path / "perdure.db", concurrency=THREADS) as app:
        handles = [perdure.start(function, *()) for _ in range(many)]  # type: ignore[arg-type]  # one of the two above
        begun = 0
        while begun < many and began.acquire(timeout=1.0):
            begun += 1
        assert app._runtime is not None
        may_end.set()
        for handle in handles:
            handle.result(60)
    while began.acquire(blocking=False):
        pass
    return begun


def test_as_many_sync_runs_execute_at_once_as_the_setting_says(tmp_path: Path) -> None:
    """Each has a thread."""
    assert count_begun(waits, tmp_path, THREADS + 2) == THREADS


def test_more_async_runs_execute_at_once(tmp_path: Path) -> None:
    """They cost a kilobyte, not a thread."""
    assert count_begun(awaits, tmp_path, THREADS + 2) == THREADS + 2
