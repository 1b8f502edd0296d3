"""A proxy between all and the server cuts connections, some or all, with a reset."""

from __future__ import annotations

import time
from random import Random

from ..fault import Fault, Struck
from ..world import Plan, World


def strike(world: World, random: Random) -> Struck:
    """One cut of some connections."""
    assert world.proxy is not None
    time.sleep(random.uniform(0.1, 0.6))
    cut_at = time.time()
    cut = world.proxy.cut(random.choice((0.2, 0.5, 1.0)), random.random)
    back = world.back_after(cut_at)
    struck = Struck(back=[back])
    struck.also["connections cut"] = cut
    return struck


FAULT = Fault(
    name="cuts",
    counted="cuts of a fifth, half or all of the connections",
    back="from the cut to a body that builds on something recorded since",
    whole=100,
    strike=strike,
    plan=Plan(has_proxy=True),
    most_seconds_back=5.0,
)
