"""A run whose end is handed in executes nothing any more: the next has its slot while that is committed."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure._api.starting import start_all
from perdure._engine.claiming import room
from perdure._engine.claiming import slots as rules
from perdure._entries import RunFinished
from tests.identity.staging import wait_until
from tests.queues.gate import Gate

NUMBER = 12
SINGLE = perdure.Queue("early, one", worker_concurrency=1)
DOUBLE = perdure.Queue("early, two", worker_concurrency=2)
BODIES: list[int] = []
MAY_END = threading.Event()


@perdure.step
def sync_job(number: int) -> int:
    """On a thread."""
    BODIES.append(number)
    assert MAY_END.wait(20)
    return number


@perdure.step
async def async_job(number: int) -> int:
    """On a loop."""
    BODIES.append(number)
    assert await asyncio.to_thread(MAY_END.wait, 20)
    return number


def wait(may_pass: threading.Event) -> None:
    """Until it may."""
    assert may_pass.wait(20)


@pytest.mark.parametrize("job", [sync_job, async_job])
@pytest.mark.parametrize(("queue", "most", "executed"), [(DOUBLE, 64, NUMBER), (DOUBLE, 3, 5), (SINGLE, 64, 1)])
def test_bodies_go_on_while_ends_are_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: Any, queue: perdure.Queue, most: int, executed: int
) -> None:
    """As many as may be repeated after a crash, and those that have slots; alone where runs go one at a time."""
    monkeypatch.setattr(rules, "LEAST_ENDING", most)
    monkeypatch.setattr(room, "LATE_SECONDS", 60.0)
    BODIES.clear()
    MAY_END.clear()
    with perdure.running(tmp_path / "p.db") as app:
        runtime = app._launched()
        ends, slots = Gate(runtime.store, RunFinished, wait), runtime.room.slots[queue.name]
        handles = [queue.submit(job, number) for number in range(queue.worker_concurrency)]
        wait_until(lambda: len(BODIES) == queue.worker_concurrency)
        others = [((number,), {}) for number in range(queue.worker_concurrency, NUMBER)]
        handles += start_all(job, others, queue._submission)

        def are_ahead() -> bool:  # as after many short ones, whatever the claims so far have found
            slots.ahead, slots._began, slots._looked_at = 100, 100_000, time.monotonic()
            runtime.room.expect_backlog()
            return len(slots.ready) == len(others)

        wait_until(are_ahead)

        MAY_END.set()
        wait_until(lambda: len(BODIES) >= executed)
        time.sleep(0.1)
        seen = len(BODIES)
        ends.may_pass.set()

        assert [handle.result(20) for handle in handles] == list(range(NUMBER))
        wait_until(lambda: not (runtime.held.active or slots.used or slots.ending))
    assert seen == executed
    assert sorted(BODIES) == list(range(NUMBER))
