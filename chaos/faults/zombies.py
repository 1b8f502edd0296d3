"""Workers are stopped with SIGSTOP past their lease, others take over, and then they wake up where they were.

A zombie is one worker at one stop that held runs, and whose row was gone when it was continued.
"""

from __future__ import annotations

import time
from collections import Counter
from random import Random

from ..fault import Fault, Struck
from ..world import Plan, World

SHARE = 0.8


def strike(world: World, random: Random) -> Struck:
    """Stop most of them, each at a moment of its own; wait until they are taken over; let them go on."""
    chosen = random.sample(world.workers, int(len(world.workers) * SHARE))
    stopped: dict[str, float] = {}
    inside: set[str] = set()
    runs: list[int] = []
    for worker in chosen:
        time.sleep(random.uniform(0.0, 0.05))
        worker.stop()
        world.ledger.read()
        inside |= world.ledger.in_transactions(time.time() - 0.5) & {worker.name}
        if worker.pid in (joined := world.joined()):  # else it was just taken for dead, as it may be when all is slow
            row, held = joined[worker.pid]
            stopped[row] = time.time()
            runs.append(held)
    back = world.taken_over(stopped, "stopped workers are")
    time.sleep(random.uniform(0.0, 0.3))  # others are in the middle of those runs now
    random.shuffle(chosen)
    for worker in chosen:
        worker.go_on()
        time.sleep(random.uniform(0.0, 0.02))
    world.wait_until_all_work()
    also = Counter({"runs taken over": sum(runs), "within the user's transaction": len(inside)})
    return Struck(sum(1 for held in runs if held), back, also)


FAULT = Fault(
    name="zombies",
    counted="workers stopped past their lease while they held runs, and continued",
    back="from the stop to the takeover (lease 1 s)",
    whole=1000,
    short=3,
    strike=strike,
    plan=Plan(workers=12, settings={"lease_seconds": 1.0}, orders=48, pace=0.06),
)
