"""The database's clock is set forward, again and again, by up to an hour: nobody who works is taken for dead.

By libfaketime, the system's or what Debian's package holds, unpacked and not installed.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random

from ..fault import Fault, Struck
from ..world import CACHE, Plan, World

PLACES = ("/usr/lib", str(CACHE / "faketime"))
OFFSET = CACHE / "clock"
STEPS = (5, 60, 3600)


def library() -> Path | None:
    """The library that a program's clock is set by, if there is one to be had."""
    for place in PLACES:
        if found := sorted(Path(place).rglob("libfaketime.so.1")):
            return found[0]
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        return None
    folder = Path(PLACES[1])
    folder.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["apt-get", "download", "libfaketime"], cwd=folder, capture_output=True, check=False).returncode:
        return None
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder], check=True)
    return next(folder.rglob("libfaketime.so.1"), None)


def server_environment() -> Mapping[str, str]:
    """Of a server whose clock is ahead by as many seconds as the file says."""
    _set(0)
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(OFFSET),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def strike(world: World, random: Random) -> Struck:
    """One step forward; whoever works goes on under the row that it had."""
    before = world.rows()
    _set(int(OFFSET.read_text().strip("+s\n")) + random.choice(STEPS))
    set_at = time.time()
    back = world.back_after(set_at)
    time.sleep(2.0)
    buried = before - world.rows()
    if buried:
        raise RuntimeError(f"{len(buried)} of {len(before)} workers lost their row when the clock was set")
    return Struck(back=[back])


def _set(seconds: int) -> None:
    """In one piece: the server reads it at any moment."""
    new = OFFSET.with_suffix(".new")
    new.write_text(f"+{seconds}s\n")
    new.chmod(0o644)
    new.replace(OFFSET)


FAULT = Fault(
    name="clocks",
    counted="steps forward of the database's clock (5 s, a minute, an hour)",
    back="from the step to a body that builds on something recorded since (lease 3 s)",
    whole=30,
    strike=strike,
    plan=Plan(workers=4, settings={"lease_seconds": 3.0}, server_environment=server_environment),
    most_seconds_back=5.0,
    has_one_clock=False,
    missing=lambda: None if library() else "there is no libfaketime here, and no Debian to take it from",
)
