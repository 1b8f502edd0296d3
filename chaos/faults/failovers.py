"""The primary is killed, its synchronous standby promoted, and the old primary made the new one's standby."""

from __future__ import annotations

import time
from random import Random

from ..fault import Fault, Struck
from ..servers import join
from ..world import Plan, World


def strike(world: World, random: Random) -> Struck:
    """One failover. Clients know both hosts and look for the one that is to be written."""
    assert world.standby is not None
    time.sleep(random.uniform(0.1, 0.8))
    world.server.stop("immediate")
    time.sleep(random.choice((0.0, 0.5, 2.0)))
    world.standby.promote()
    world.server, world.standby = world.standby, world.server
    back = world.back_after(world.server.wait_until_it_accepts())
    join(world.standby, world.server)
    return Struck(back=[back])


FAULT = Fault(
    name="failovers",
    counted="failovers to a synchronous standby",
    back="from the new primary's accepting writes to a body that builds on something recorded since",
    whole=50,
    strike=strike,
    plan=Plan(workers=4, orders=12, pace=0.05, has_standby=True),
    most_seconds_back=5.0,
)
