"""`make chaos` in small: one world, and of some faults one each; all of them where there is time."""

from __future__ import annotations

from random import Random

import pytest

from chaos.__main__ import run
from chaos.fault import Fault, Struck
from chaos.faults import FAULTS, restarts, swallows, zombies
from chaos.world import Plan, World

SEED = 7


def one_of_each(world: World, random: Random) -> Struck:
    """In a world that suits them all."""
    struck = Struck(0)
    for fault in (swallows.FAULT, restarts.FAULT, zombies.FAULT):
        struck.count += fault.strike(world, random).count
    return struck


def test_nothing_is_lost_twice_or_late() -> None:
    """A swallowed answer, a restart of Postgres, and workers stopped past their lease."""
    plan = Plan(workers=3, settings={"lease_seconds": 1.0}, orders=6, has_proxy=True)
    outcome = run(Fault("some", "faults", "", whole=1, strike=one_of_each, plan=plan), SEED, wanted=1, seconds=60)
    assert outcome.differences == []
    assert outcome.count
    assert outcome.findings.orders
    assert outcome.findings.entries


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault(fault: Fault) -> None:
    """Some of each, in the world that it is done in."""
    outcome = run(fault, SEED, wanted=fault.short, seconds=300)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.differences == []
    assert outcome.count >= fault.short
