"""What strikes a run in the moment in which it begins: it ends all the same, and its slot is free again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure.errors import RunCancelledError

QUEUE = perdure.Queue("beginnings", concurrency=1)


@perdure.workflow
async def workflow(number: int) -> int:
    """One task."""
    return number


@perdure.step
async def step(number: int) -> int:
    """A run by itself."""
    return number


@pytest.mark.parametrize("function", [workflow, step])
def test_an_async_run_that_is_cancelled_before_its_task_begins_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: Any
) -> None:
    """asyncio never begins the coroutine of a task that is cancelled so early: nothing in it would end the run."""
    with perdure.running(tmp_path / "p.db") as app:
        runtime = app._launched()
        start_task = runtime.execution._start_task

        def cancel_first(run: Any, *given: Any, **options: Any) -> Any:
            monkeypatch.setattr(runtime.execution, "_start_task", start_task)
            elsewhere = threading.Thread(target=runtime.claims.cancel, args=(run.run_id,))
            elsewhere.start()
            elsewhere.join()
            return start_task(run, *given, **options)

        monkeypatch.setattr(runtime.execution, "_start_task", cancel_first)
        with pytest.raises(RunCancelledError):
            QUEUE.submit(function, 1).result(20)
        assert QUEUE.submit(function, 2).result(20) == 2
