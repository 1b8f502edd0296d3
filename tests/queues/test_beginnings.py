"""What strikes a run in the moment in which it begins: it ends all the same, and its slot is free again."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure.errors import RunCancelledError

QUEUE = perdure.Queue("beginnings", worker_concurrency=1)


@perdure.workflow
async def workflow(number: int) -> int:
    """One task."""
    return number


@perdure.step
async def step(number: int) -> int:
    """A run by itself."""
    return number


request: ContextVar[str] = ContextVar("request", default="nobody's")


@perdure.workflow
async def whose(name: str) -> str:
    """What its context says."""
    return request.get()


@pytest.mark.parametrize("function", [workflow, step])
def test_an_async_run_that_is_cancelled_before_its_task_begins_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: Any
) -> None:
    """asyncio never begins the coroutine of a task that is cancelled so early: nothing in it would end the run."""
    with perdure.running(tmp_path / "p.db") as app:
        runtime = app._launched()
        start_task = runtime.execution._start_task

        def cancel(run_id: str) -> None:
            while not runtime.cancels.ask([run_id]):  # a run begins while its creation is committed
                time.sleep(0.001)

        def cancel_first(run: Any, *given: Any, **options: Any) -> Any:
            monkeypatch.setattr(runtime.execution, "_start_task", start_task)
            elsewhere = threading.Thread(target=cancel, args=(run.run_id,))
            elsewhere.start()
            elsewhere.join()
            return start_task(run, *given, **options)

        monkeypatch.setattr(runtime.execution, "_start_task", cancel_first)
        with pytest.raises(RunCancelledError):
            QUEUE.submit(function, 1).result(20)
        assert QUEUE.submit(function, 2).result(20) == 2


@pytest.mark.parametrize("is_plain", [True, False], ids=["our task factory alone", "beside another one"])
def test_an_async_run_begins_in_an_empty_context(tmp_path: Path, is_plain: bool) -> None:
    """Whoever starts it is no part of it: at a replay, on another machine, nothing of that would be there."""

    def make(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=loop, **options)

    async def start_and_call() -> list[str]:
        if not is_plain:
            asyncio.get_running_loop().set_task_factory(make)
        async with perdure.running(tmp_path / "p.db"):
            request.set("the caller's")
            return [await (await perdure.astart(whose, "started")), await whose("called")]

    assert asyncio.run(start_and_call()) == ["nobody's", "nobody's"]
