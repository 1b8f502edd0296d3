"""The network is slow, or lets nothing pass for longer than a lease, and then goes on as if nothing had been."""

from __future__ import annotations

import time
from random import Random

from ..fault import Fault, Struck
from ..world import Plan, World


def strike(world: World, random: Random) -> Struck:
    """One time of slowness, or one of silence."""
    assert world.proxy is not None
    if random.random() < 0.5:
        world.proxy.delay_seconds = random.choice((0.005, 0.05, 0.15))
        time.sleep(random.uniform(0.5, 2.0))
        world.proxy.delay_seconds = 0.0
    else:
        world.proxy.hold(is_held=True)
        time.sleep(random.choice((0.5, 1.5, 4.0)))
        world.proxy.hold(is_held=False)
    return Struck(back=[world.back_after(time.time())])


FAULT = Fault(
    name="delays",
    counted="times in which the network was slow (5, 50, 150 ms each way) or let nothing pass (0.5, 1.5, 4 s)",
    back="from its end to a body that builds on something recorded since (lease 2 s)",
    whole=40,
    strike=strike,
    plan=Plan(has_proxy=True, settings={"lease_seconds": 2.0}),
    most_seconds_back=5.0,
)
