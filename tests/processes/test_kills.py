"""A process may be killed at any moment: nothing is lost, and no recorded body runs again."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from tests.processes.conftest import Rows, Start, bodies

IN_FLIGHT = 9 + 2 + 12 * 4 + 5 * 5 + 20
"""The most bodies at once in the program: in its queues, its parents, their gathers, and the leaves outside queues."""


def kill_again_and_again(
    start_program: Start, rows: Rows, ledger: Path, *, kills: int, children: int, seed: int
) -> None:
    """Kill the program at random moments of its work, check the ledger after each death, then let it end."""
    chance = random.Random(seed)  # noqa: S311  # chooses moments
    ran: set[str] = set()
    for kill in range(kills + 1):
        recorded = rows.recorded_keys()
        program = start_program("work", children, 0 if kill == kills else chance.randint(1, 120))
        if kill == kills:
            program.read_until("done")
        elif chance.random() < 0.2 and program.lives_for(chance.uniform(0.2, 0.8)):
            program.kill()
        status = program.wait()
        assert status in (0, -signal.SIGKILL), program.complaints()
        fresh = bodies(ledger, program.pid)
        assert len(fresh) == len(set(fresh)), "a body began twice in one life"
        assert not recorded & set(fresh), "a recorded body ran again"
        assert len(ran & set(fresh)) <= IN_FLIGHT, "more bodies ran twice than can have been in flight"
        ran |= set(fresh)
    assert set(rows.states().values()) == {"succeeded"}
    assert ran == rows.recorded_keys()


def test_a_kill_at_any_moment_loses_nothing_and_repeats_no_recorded_body(
    start_program: Start, rows: Rows, ledger: Path
) -> None:
    """Parents with many children on a queue of one and of eight, sync and async, nested; killed again and again."""
    kill_again_and_again(start_program, rows, ledger, kills=6, children=60, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_hundreds_of_kills_lose_nothing_and_repeat_no_recorded_body(
    start_program: Start, rows: Rows, ledger: Path, seed: int
) -> None:
    """The same with twenty kills, again and again."""
    kill_again_and_again(start_program, rows, ledger, kills=20, children=200, seed=seed)
