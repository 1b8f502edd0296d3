"""Values that would differ at every replay (the time, chance) and are therefore recorded when first drawn.

They are handed over at once and need no turn: no other branch can come between the question and the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._entries import StepRecorded
from ..flow import Flow, Record
from ..run import Run
from .turn import catch_up

NO_ARGUMENTS = "-"


def draw_value(run: Run, key: str, name: str, draw: Callable[[], Any], *, is_instant: bool) -> Flow[Any]:
    """The recorded value of this call, or a fresh one, recorded. `is_instant`: it blocks an event loop."""
    run.check_alive()
    recorded = run.take(key, "value", name, NO_ARGUMENTS)
    if recorded is not None:
        return run.read(key, lambda: run.serializer.load(recorded.outcome))
    if run.is_behind:
        yield from catch_up(run, key, f"value {name}", is_instant=is_instant)
    stored, value = run.serializer.accept(draw(), what=f"the value of {name}")
    yield Record(
        StepRecorded(run.run_id, run.claim, run.next_entry_id(), key, "value", name, NO_ARGUMENTS, False, stored)
    )
    return value
