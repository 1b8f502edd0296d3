"""Wherever in its life a run is interrupted, its claim ends: none stays held that is in nobody's memory.

The hosts are the real ones, on threads and on a loop; each request that a life makes is the moment of an interruption.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import perdure
from perdure import Queue, step, workflow
from perdure._core.run import Run
from perdure._engine.hosting.asyncio.host import LoopHost
from perdure._engine.hosting.threads.host import ThreadHost
from perdure._engine.runtime import Runtime
from perdure.errors import RunCancelledError

PATIENCE_SECONDS = 60
queue = Queue("interrupted")


@step(name="interrupted:add")
def add(number: int) -> int:
    """One step."""
    return number + 1


@step(name="interrupted:aadd")
async def aadd(number: int) -> int:
    """The same, async."""
    return number + 1


@workflow(name="interrupted:sync")
def on_a_thread(number: int) -> int:
    """Some of everything that asks a host."""
    number = add(number)
    number = queue.submit(add, number).result()
    perdure.sleep(0.0)
    return add(number)


@workflow(name="interrupted:async")
async def on_a_loop(number: int) -> int:
    """The same."""
    number = await aadd(number)
    number = await queue.submit(aadd, number)
    await perdure.sleep(0.0)
    return await aadd(number)


def cancel(runtime: Runtime, run: Run) -> None:
    """Somebody asks for its end."""
    runtime.cancels.ask([run.run_id])


def fence(runtime: Runtime, run: Run) -> None:
    """This worker is told that it was called dead."""
    runtime.claims.lost_right(runtime.worker.worker_id)


def release(runtime: Runtime, run: Run) -> None:
    """As a shutdown does."""
    run.interruption = run.interruption or "released"
    run.host.interrupt(run)


Interruption = Callable[[Runtime, Run], None]


class Plan:
    """Interrupts the run `run_id` when it makes its nth request, of all its lives."""

    def __init__(self) -> None:
        self.run_id = ""
        self.at: dict[int, Interruption] = {}
        self.requests = 0

    def begin(self, run_id: str, at: dict[int, Interruption]) -> None:
        """A run that is about to be started."""
        self.run_id, self.at, self.requests = run_id, at, 0

    def note(self, run: Run) -> None:
        """The run makes a request."""
        if run.run_id != self.run_id:
            return
        self.requests += 1
        if (interrupt := self.at.get(self.requests)) is not None:
            runtime = perdure._api.app.current_runtime()
            thread = threading.Thread(target=interrupt, args=(runtime, run))
            thread.start()
            thread.join()


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """What happens at which request."""
    made = Plan()
    for host in (ThreadHost, LoopHost):
        answer: Any = host.answer

        def noted(self: Any, run: Run, request: Any, answer: Any = answer) -> Any:
            made.note(run)
            return answer(self, run, request)

        monkeypatch.setattr(host, "answer", noted)
    return made


@pytest.mark.parametrize("interruption", [cancel, fence, release], ids=lambda interruption: interruption.__name__)
@pytest.mark.parametrize("function", [on_a_thread, on_a_loop], ids=["thread", "loop"])
@pytest.mark.parametrize("is_replay", [False, True], ids=["first life", "second life"])
def test_a_run_that_is_interrupted_anywhere_comes_to_its_end(
    url: str, plan: Plan, function: Any, interruption: Interruption, is_replay: bool
) -> None:
    """Cancelled it is cancelled, let go of it goes on elsewhere: here too, where its history is being read."""
    before = {6: fence} if is_replay else {}
    with perdure.running(url, poll_seconds=0.05, shutdown_seconds=0.0) as app:
        plan.begin("whole", dict(before))
        assert queue.with_options(id="whole").submit(function, 1).result(PATIENCE_SECONDS) == 4
        first = 7 if is_replay else 1
        for number in range(first, plan.requests + 1):
            run_id = f"r{number}"
            plan.begin(run_id, {**before, number: interruption})
            handle = queue.with_options(id=run_id).submit(function, 1)
            try:
                assert handle.result(PATIENCE_SECONDS) == 4
            except RunCancelledError:
                assert interruption is cancel
            runtime = app._launched()
            runtime.held.wait_until_empty(time.monotonic() + PATIENCE_SECONDS)
            row = runtime.store.runs.row(run_id)
            assert row is not None
            assert row.state in ("succeeded", "cancelled")
            assert row.worker_id is None
