"""Runs that wait give their slots away at once, and leave memory when that is committed: claims do not outrun it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure._engine.claiming.slots import CLAIM_AT_ONCE, LEAST_ENDING
from perdure._entries import RunParked
from perdure.stores.protocol import NothingDone
from tests.identity.staging import wait_until
from tests.queues.gate import Gate

QUEUE = perdure.Queue("parks", worker_concurrency=2)
MANY = 8 * LEAST_ENDING
A_DAY = 86_400.0


@perdure.workflow
async def naps() -> None:
    """Until tomorrow, out of memory."""
    await perdure.sleep(A_DAY)


@perdure.workflow
def dozes() -> None:
    """The same on a thread."""
    perdure.sleep(A_DAY)


def refuse(may_pass: threading.Event) -> None:
    """As a full disk does."""
    raise NothingDone("the disk is full")


@pytest.mark.parametrize("function", [naps, dozes])
def test_nothing_is_claimed_while_many_wait_to_leave(tmp_path: Path, function: Any) -> None:
    """However slow the database is, memory holds a bounded number; then all of them have their turn."""
    with perdure.running(tmp_path / "a.db", serve=[QUEUE], poll_seconds=0.05, most_threads=2 * MANY) as app:
        runtime = app._launched()
        parks = Gate(runtime.store, RunParked, refuse)
        try:
            handles = QUEUE.submit_many(function, [()] * MANY)
            wait_until(lambda: runtime.room.slots[QUEUE.name].ending >= 2 * LEAST_ENDING)
            wait_until(lambda: not runtime.room.slots[QUEUE.name].is_asking and not runtime.room.slots[QUEUE.name].used)
            assert len(runtime.held.active) <= 2 * LEAST_ENDING + CLAIM_AT_ONCE  # one claim more
        finally:
            parks.may_pass.set()
        wait_until(lambda: all(handle.status() == "parked" for handle in handles))
        wait_until(lambda: runtime.room.slots[QUEUE.name].ending == 0)
        assert not runtime.held.active
