"""A machine vanishes: the cable of a network namespace with half of the workers is pulled. It comes back later, and its
workers are zombies that were never stopped.
"""

from __future__ import annotations

import time
from random import Random

from ..fault import Fault, Struck
from ..network import machines_may_be_made
from ..world import Plan, World


def strike(world: World, random: Random) -> Struck:
    """One machine is gone until all of its workers are taken over, and some time more."""
    assert world.machine is not None
    # Who has just come back connects his session for some seconds yet, and until then his lease alone would tell.
    world.wait(lambda: world.ask("unseen") == [(0,)], "the session of every worker is there")
    time.sleep(random.uniform(0.3, 1.0))
    away = {worker.pid for worker in world.workers[1::2]}
    rows = {row for pid, (row, _) in world.joined().items() if pid in away}
    world.machine.plug(is_in=False)
    back = max(
        world.taken_over(dict.fromkeys(rows, time.time()), "the workers of a machine that vanished are"), default=0.0
    )
    time.sleep(random.uniform(0.0, 2.0))
    world.machine.plug(is_in=True)
    world.wait_until_all_work()
    struck = Struck(back=[back])
    struck.also["its workers"] = len(rows)
    return struck


FAULT = Fault(
    name="vanishing",
    counted="machines that vanished and came back",
    back="from the pulling to the takeover of all its workers (default settings)",
    whole=10,
    strike=strike,
    plan=Plan(workers=4, has_machine=True),
    most_seconds_back=15.0,
    missing=lambda: None if machines_may_be_made() else "this process may not make network namespaces",
)
