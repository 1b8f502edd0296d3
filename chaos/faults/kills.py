"""Workers are killed with SIGKILL while they hold runs, and no other one sees their lock files."""

from __future__ import annotations

import time
from random import Random

from ..fault import Fault, Struck
from ..world import Plan, World


def strike(world: World, random: Random) -> Struck:
    """One worker; another process comes in its place."""
    time.sleep(random.uniform(0.1, 0.5))
    worker = random.choice(world.workers)
    row, _ = world.joined()[worker.pid]
    worker.kill()
    killed_at = time.time()
    world.workers.remove(worker)
    world.wait(lambda: row not in {found for found, _ in world.joined().values()}, "a killed worker is taken over")
    back = time.time() - killed_at
    worker.start()
    worker.wait_until_ready()
    world.workers.append(worker)
    world.wait_until_all_work()
    return Struck(back=[back])


FAULT = Fault(
    name="kills",
    counted="workers killed with SIGKILL",
    back="from the kill to the takeover (default settings, no shared lock files)",
    whole=50,
    strike=strike,
    plan=Plan(),
)
