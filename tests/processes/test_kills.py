"""A process may be killed at any moment: nothing is lost, and no recorded body runs again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.processes.conftest import Rows, Start, bodies

BRANCHES = 200
"""More than can be in flight at once in the program: its queues, and its branches outside them."""


def kill_again_and_again(
    start_program: Start, rows: Rows, ledger: Path, *, kills: int, children: int, seed: int
) -> None:
    """Kill the program at random moments of its work, check the ledger after each death, then let it end."""
    chance = random.Random(seed)
    ran: set[str] = set()
    for kill in range(kills + 1):
        recorded = rows.recorded_keys() if kill else set[str]()
        program = start_program("work", children)
        if kill < kills:
            if chance.random() < 0.8:
                program.read_until("launched")
            if program.lives_for(chance.uniform(0.0, 1.0)):
                program.kill()
        else:
            program.read_until("done")
            assert program.wait() == 0, program.complaints()
        fresh = bodies(ledger, program.pid)
        assert len(fresh) == len(set(fresh)), "a body began twice in one life"
        assert not recorded & set(fresh), "a recorded body ran again"
        assert len(ran & set(fresh)) <= BRANCHES, "more bodies ran twice than can have been in flight"
        ran |= set(fresh)
    assert set(rows.states().values()) == {"succeeded"}
    assert ran == rows.recorded_keys()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_kill_at_any_moment_loses_nothing_and_repeats_no_recorded_body(
    start_program: Start, rows: Rows, ledger: Path, seed: int
) -> None:
    """Parents with many children on a queue of one and of eight, sync and async, nested; killed five times."""
    kill_again_and_again(start_program, rows, ledger, kills=5, children=60, seed=seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_hundreds_of_kills_lose_nothing_and_repeat_no_recorded_body(
    start_program: Start, rows: Rows, ledger: Path, seed: int
) -> None:
    """The same with two hundred children and twenty kills, again and again."""
    kill_again_and_again(start_program, rows, ledger, kills=20, children=200, seed=seed)
