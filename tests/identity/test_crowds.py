"""What many tasks of one run cost the event loop while they wait."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure._engine.hosting.asyncio.durable_waits import waits_within
from perdure._engine.hosting.asyncio.host import LOOK_SECONDS_PER_TASK
from tests.identity.staging import begin, launched

REACHED = threading.Event()
LONG = 3600.0
CROWD = 300


@perdure.workflow
async def crowded() -> None:
    """Many begin to wait, each in a turn of the loop of its own, and one does not wait durably."""

    async def one() -> None:
        await perdure.sleep(LONG)

    tasks = [asyncio.create_task(asyncio.Event().wait())]
    for _ in range(CROWD):
        tasks.append(asyncio.create_task(one()))
        await asyncio.sleep(0)
    REACHED.set()
    await tasks[0]


def test_looking_whether_a_crowd_may_be_parked_leaves_the_loop_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many looks as fit into a small part of the time, and no look for each that begins to wait."""
    looks: list[float] = []

    def note(tasks: set[Any], durable: set[Any]) -> bool:
        looks.append(len(tasks) * LOOK_SECONDS_PER_TASK)
        return waits_within(tasks, durable)

    monkeypatch.setattr("perdure._engine.hosting.asyncio.host.waits_within", note)
    REACHED.clear()
    began = time.monotonic()
    with launched(str(tmp_path / "p.db"), park_after_seconds=0.0):
        begin(crowded)
        assert REACHED.wait(60)
    assert sum(looks) <= 2 * (time.monotonic() - began) + 4 * CROWD * LOOK_SECONDS_PER_TASK  # two kinds of looks
