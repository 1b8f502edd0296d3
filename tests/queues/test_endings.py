"""A run that has ended holds no slot, and takes none any more."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure._engine.claiming.room import Room
from tests.identity.staging import wait_until

QUEUE = perdure.Queue("endings", worker_concurrency=1)
ASKS, HAS_ENDED, HAS_ASKED = threading.Event(), threading.Event(), threading.Event()


@perdure.step
def step() -> str:
    """It needs the slot."""
    return "done"


@perdure.workflow
def leaves_a_branch_behind() -> None:
    """It does not wait for what it has begun."""
    perdure.threads().submit(perdure.sleep, 0.01)
    assert ASKS.wait(20)


@pytest.mark.parametrize("is_free", [True, False])
def test_a_branch_that_outlives_its_run_takes_no_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_free: bool
) -> None:
    """It came to ask for the slot just when the run ended: whoever would give that back has gone."""
    regain = Room.regain_slot

    def regain_late(self: Room, run: Any, grant: Any) -> bool:
        ASKS.set()
        assert HAS_ENDED.wait(20)
        try:
            return regain(self, run, grant)
        finally:
            HAS_ASKED.set()

    for signal in (ASKS, HAS_ENDED, HAS_ASKED):
        signal.clear()
    monkeypatch.setattr(Room, "regain_slot", regain_late)
    with perdure.running(tmp_path / "p.db") as app:
        slots = app._launched().room.slots[QUEUE.name]
        QUEUE.submit(leaves_a_branch_behind).result(20)
        wait_until(lambda: not app._launched().held.active)
        slots.used += not is_free  # as if the next run had it
        HAS_ENDED.set()
        assert HAS_ASKED.wait(20)
        slots.used -= not is_free
        assert QUEUE.submit(step).result(20) == "done"
        wait_until(lambda: not slots.used)
        assert not slots.resuming
