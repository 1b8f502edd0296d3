"""What was sent is done, the answer never comes: after a COMMIT of the user's, or after any statement of Perdure's."""

from __future__ import annotations

import time
from random import Random

from ..fault import Fault, Struck
from ..workers import until
from ..world import Plan, World


def strike(world: World, random: Random) -> Struck:
    """One answer is lost, and its connection with it."""
    assert world.proxy is not None
    before, struck_at = world.proxy.swallowed, time.time()
    is_commit = random.random() < 0.5
    world.proxy.swallow(random.randint(1, 5 if is_commit else 60), b"COMMIT" if is_commit else b"")
    until(lambda: world.proxy is None or world.proxy.swallowed > before, 10.0)
    struck = Struck(world.proxy.swallowed - before, [world.back_after(struck_at)])
    struck.also["answers to the user's COMMIT"] = struck.count if is_commit else 0
    return struck


FAULT = Fault(
    name="swallows",
    counted="answers of the server that were swallowed",
    back="from the arming to a body that builds on something recorded since",
    whole=150,
    short=3,
    strike=strike,
    plan=Plan(has_proxy=True),
)
