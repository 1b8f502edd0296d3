"""Runs that are claimed ahead of their slots are as safe as others: they go back, are cancelled, begin once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import perdure
from perdure._engine.claiming.held_runs import Held
from perdure.errors import RunCancelledError
from tests.identity.staging import wait_until

QUEUE = perdure.Queue("claimed ahead", worker_concurrency=1)
BODIES: Counter[str] = Counter()
MAY_END = threading.Event()
HAS_BEGUN = threading.Event()


@perdure.step
def is_short(name: str) -> None:
    """Ends at once."""
    BODIES[name] += 1


@perdure.step
def is_long(name: str) -> None:
    """Ends when it may."""
    BODIES[name] += 1
    HAS_BEGUN.set()
    assert MAY_END.wait(60)


@perdure.workflow
def short_ones_around_a_long_one(before: int, after: int) -> None:
    """So many that they are claimed together."""
    handles = [QUEUE.submit(is_short, f"before {number}") for number in range(before)]
    handles.append(QUEUE.submit(is_long, "long"))
    handles += [QUEUE.submit(is_short, f"after {number}") for number in range(after)]
    for handle in handles:
        handle.result()


@pytest.fixture(autouse=True)
def _afresh() -> None:
    BODIES.clear()
    MAY_END.clear()
    HAS_BEGUN.clear()


def test_what_cannot_begin_soon_goes_back_and_runs_once(tmp_path: Path) -> None:
    """A long run met short ones: those behind it are for every process again, and each body runs once."""
    with perdure.running(tmp_path / "p.db", poll_seconds=0.05) as app:
        handle = perdure.start(short_ones_around_a_long_one, 300, 100)
        assert HAS_BEGUN.wait(60)
        slots = app._launched().room.slots[QUEUE.name]
        wait_until(lambda: not slots.ready and not app._launched().held._about_to_begin)
        MAY_END.set()
        handle.result(60)

    assert len(BODIES) == 401
    assert set(BODIES.values()) == {1}


def test_a_run_that_is_cancelled_before_it_begins_never_begins(tmp_path: Path) -> None:
    """Though it was claimed already."""
    with perdure.running(tmp_path / "p.db") as app:
        blocker = QUEUE.submit(is_long, "long")
        assert HAS_BEGUN.wait(60)
        slots = app._launched().room.slots[QUEUE.name]
        slots.ahead, slots._began, slots._looked_at = 10, 10_000, time.monotonic()  # as after many short ones
        victim = QUEUE.submit(is_short, "never")
        wait_until(lambda: bool(slots.ready))
        assert victim.cancel()
        MAY_END.set()
        blocker.result(60)
        with pytest.raises(RunCancelledError):
            victim.result(60)

    assert "never" not in BODIES


def test_what_went_back_and_was_claimed_again_keeps_its_cancel() -> None:
    """The new claim may be there before the verdict on what ended the old one."""
    held = Held()
    held.expect("r", "old")
    held.expect("r", "new")
    held.note_cancel("r")
    held.forget("old")
    run: Any = SimpleNamespace(run_id="r", claim="new", is_cancelled=False)

    assert held.enter(run)
    assert run.is_cancelled
