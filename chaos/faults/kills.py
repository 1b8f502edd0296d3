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
    back = world.taken_over({row: killed_at}, "a killed worker is")
    world.start_again(worker)
    return Struck(back=back)


FAULT = Fault(
    name="kills",
    counted="workers killed with SIGKILL",
    back="from the kill to the takeover (default settings, no shared lock files)",
    whole=50,
    strike=strike,
    plan=Plan(),
)
