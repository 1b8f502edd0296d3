"""Every NOTIFY is lost on its way: what waits for a hint is found by looking."""

from __future__ import annotations

import time
from random import Random

from ..fault import Fault, Struck
from ..ledger import BODY
from ..world import Plan, World


def strike(world: World, random: Random) -> Struck:
    """One order on an idle system, of which nobody is told."""
    assert world.proxy is not None
    world.proxy.drops_notices = True
    before = world.proxy.dropped
    run_id = f"order-unheard-{len(world.feeder.acknowledged)}"
    time.sleep(random.uniform(0.0, 0.5))
    submitted_at = time.time()
    world.feeder.submit(run_id, random.randint(1, 1000))
    found: list[float] = []

    def has_begun() -> bool:
        world.ledger.read()
        begun = (line.at for line in world.ledger.lines[-1000:] if line.kind == BODY and line.run_id == run_id)
        found.extend(begun)
        return bool(found)

    world.wait(has_begun, "an order of which nobody is told begins")
    world.wait(lambda: run_id not in world.feeder.unended(), "an order of which nobody is told ends")
    struck = Struck(back=[found[0] - submitted_at])
    struck.also["notifications dropped"] = world.proxy.dropped - before
    return struck


FAULT = Fault(
    name="notifications",
    counted="orders of whose making and ends nobody was notified",
    back="from the submit to the first body (poll 1 s)",
    whole=40,
    strike=strike,
    plan=Plan(workers=3, has_proxy=True, orders=0),
    most_seconds_back=5.0,
)
