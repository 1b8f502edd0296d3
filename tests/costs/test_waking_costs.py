"""What it costs to wake many: what has come for them is read together, whatever it is."""

from __future__ import annotations

import time
from typing import Any

import pytest

import perdure
from tests.costs.conftest import Count

MANY = 100
MOST = MANY // 3
"""How many looks they take together: one serves all who have come to it while the one before was answered."""


@perdure.workflow
async def awaits_message() -> int:
    """Of somebody, one."""
    return int(await perdure.recv())


@perdure.workflow
def receives_message() -> int:
    """The same, on a thread."""
    return int(perdure.recv())


@perdure.workflow
async def says() -> None:
    """Has something to say, at the word."""
    await perdure.recv()
    perdure.set_event("said", 1)


@perdure.workflow
async def awaits_event(of: str) -> int:
    """Of another run."""
    return int(await perdure.get_event(of, "said"))


@pytest.mark.parametrize("function", [awaits_message, receives_message])
def test_messages_for_many_runs_are_read_together(app: perdure.Perdure, count: Count, function: Any) -> None:
    """All of them are here, and wait."""
    handles = [perdure.start(function) for _ in range(MANY)]
    while len(app._launched().arrivals._watchers) < MANY:
        time.sleep(0.01)
    time.sleep(0.2)  # the last of them look for the first time

    def wake() -> None:
        perdure.send_many((handle, number) for number, handle in enumerate(handles))
        assert [handle.result(60) for handle in handles] == list(range(MANY))

    cost = count(wake)
    assert cost.names["waiting_messages"] <= MOST, str(cost)


def test_events_for_many_runs_are_read_together(app: perdure.Perdure, count: Count) -> None:
    """One is set, and many wait for it."""
    sayer = perdure.start(says)
    handles = [perdure.start(awaits_event, sayer.run_id) for _ in range(MANY)]
    while len(app._launched().arrivals._watchers) < MANY + 1:
        time.sleep(0.01)
    time.sleep(0.2)

    def wake() -> None:
        perdure.send(sayer, None)
        assert [handle.result(60) for handle in handles] == [1] * MANY

    cost = count(wake)
    assert cost.names["last_events"] <= MOST, str(cost)
