"""Postgres is restarted: in order, at once, or because a session of its was killed."""

from __future__ import annotations

import time
from random import Random

from ..fault import Fault, Struck
from ..world import Plan, World


def strike(world: World, random: Random) -> Struck:
    """One restart; the server may be away for some time."""
    time.sleep(random.uniform(0.1, 0.8))
    how = random.choice(("fast", "immediate", "a session is killed"))
    if how in ("fast", "immediate"):
        world.server.stop(how)
        time.sleep(random.choice((0.0, 0.0, 0.3, 2.0)))
        world.server.start()
    else:
        world.server.kill_a_backend()
    return Struck(back=[world.back_after(world.server.wait_until_it_accepts())])


FAULT = Fault(
    name="restarts",
    counted="restarts of Postgres",
    back="from the server's accepting connections to a body that builds on something recorded since",
    whole=200,
    strike=strike,
    plan=Plan(orders=12, pace=0.05),
    most_seconds_back=5.0,
)
