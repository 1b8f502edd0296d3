"""All workers have one host name and one process id, as the containers of a service do, and lock files of their own."""

from __future__ import annotations

import subprocess
import time
from random import Random

from ..fault import Fault, Struck
from ..world import Plan, World


def strike(world: World, random: Random) -> Struck:
    """One is killed: it alone is taken over."""
    time.sleep(random.uniform(0.1, 0.5))
    before = _rows(world)
    worker = random.choice(world.workers)
    world.workers.remove(worker)
    worker.kill()
    killed_at = time.time()
    world.wait(lambda: len(before & _rows(world)) < len(before), "one of several workers of one name is taken over")
    back = time.time() - killed_at
    time.sleep(1.5)
    if len(left := before & _rows(world)) != len(before) - 1:
        raise RuntimeError(f"one worker was killed, and of {len(before)} {len(left)} are left")
    world.start_again(worker)
    return Struck(back=[back])


def _rows(world: World) -> set[object]:
    found = world.ask("hostnames")
    others = {(name, pid) for _, name, pid in found} - {("app", 1)}
    if others:
        raise RuntimeError(f"workers are called {others}")
    return {row for row, _, _ in found}


def missing() -> str | None:
    """Whether a process may have a host name and process ids of its own."""
    words = ["unshare", "--uts", "--pid", "--fork", "--mount-proc", "hostname", "app"]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "this process may not make namespaces for host names and process ids"
    return None


FAULT = Fault(
    name="names",
    counted="kills among workers that all are process 1 of the host `app`",
    back="from the kill to the takeover of that one (default settings, no shared lock files)",
    whole=20,
    strike=strike,
    plan=Plan(workers=3, has_own_names=True),
    missing=missing,
)
