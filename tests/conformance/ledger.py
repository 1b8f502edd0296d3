"""What the bodies of this suite leave behind, and how they and the tests wait for each other.

A test sees what a run did only here: `ran` has a line for every execution of a body. `replay()` at the end of a
workflow makes the run leave memory and execute once more from the top, as a restart would, so that whatever stands
before it is shown to be the same when it is replayed.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable

import perdure

PATIENCE_SECONDS = 20.0
MOMENT_SECONDS = 0.01
REPLAY_SECONDS = 0.1
"""A sleep that is over before its run could leave memory replays nothing: longer than a disk takes to commit."""

ran: list[str] = []
"""One entry for every time that a body, or a workflow, was executed."""

signals: defaultdict[str, threading.Event] = defaultdict(threading.Event)
"""By a name that the test chooses."""


def await_signal(name: str) -> None:
    """Wait for it; a test that never gives the signal must not hang."""
    if not signals[name].wait(PATIENCE_SECONDS):
        raise TimeoutError(f"nobody gave the signal {name}")


def replay() -> None:
    """In a sync workflow of the fixture `app`: leave memory, and be executed again from the top."""
    perdure.sleep(REPLAY_SECONDS)


async def areplay() -> None:
    """The same in an async workflow."""
    await perdure.sleep(REPLAY_SECONDS)


def until(condition: Callable[[], object]) -> None:
    """Wait for something that nobody signals, such as the state of a row."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    never = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come about")
        never.wait(MOMENT_SECONDS)


def state_of(app: perdure.Perdure, run_id: str) -> str | None:
    """The state of the run's row."""
    assert app._runtime is not None
    row = app._runtime.store.runs.row(run_id)
    return None if row is None else row.state
