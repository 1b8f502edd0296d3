"""What every measured program has: its order, its clock, and the one line of JSON that it answers with.

Imports nothing of any contestant: the programs of both environments use it.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

STATUS = Path("/proc/self/status")
Tally = Counter[str]
"""Statements, commits and round trips as the contestant's own hook tells them; empty unless they are counted."""


@dataclass(frozen=True)
class Order:
    """What to measure: on which database, in which variant, how often. `count` 0: set up and warm up alone."""

    url: str
    variant: str
    count: int
    is_counted: bool = False
    role: str = ""
    shape: str = ""
    patience: int = 3_600

    @property
    def is_postgres(self) -> bool:
        """Which of the two stores it is."""
        return self.url.startswith("postgresql")

    @property
    def path(self) -> str:
        """The file of a SQLite URL."""
        return self.url.removeprefix("sqlite:///")


def read_order() -> Order:
    """The order on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--variant", default="")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--counted", action="store_true", help="slower: count statements")
    parser.add_argument("--role", default="", help="for programs that start themselves again")
    parser.add_argument("--shape", default="", help="for programs that serve several")
    parser.add_argument("--patience", type=int, default=3_600, help="end after so many seconds and show where it stood")
    given = parser.parse_args()
    faulthandler.dump_traceback_later(given.patience, exit=True)
    return Order(given.url, given.variant, given.count, given.counted, given.role, given.shape, given.patience)


@dataclass
class Window:
    """The time that is measured, how long this process worked in it, and what was counted in it."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)


@contextmanager
def measured(tally: Tally) -> Iterator[Window]:
    """The block that is measured; warm-up comes before it, shutdown after it."""
    window = Window()
    before = Tally(tally)
    began, worked = time.perf_counter(), worked_seconds()
    yield window
    window.seconds, window.cpu_seconds = time.perf_counter() - began, worked_seconds() - worked
    window.counts = {name: tally[name] - before[name] for name in tally}


def answer(window: Window, count: int, *, peak_mb: float | None = None, **figures: float) -> None:
    """Print the one line: `count` units took so many seconds, the peak of this process's memory, and what else."""
    if window.seconds and count:
        figures.setdefault("per_second", count / window.seconds)
    if window.cpu_seconds and count:
        figures["cpu_us"] = window.cpu_seconds / count * 1e6
    figures["seconds"] = window.seconds
    figures["peak_mb"] = peak_mb if peak_mb is not None else peak_megabytes()
    print(json.dumps({"count": count, "figures": figures, "counts": window.counts}), flush=True)


def worked_seconds() -> float:
    """How long this process has worked, on all threads, and those that it has started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def peak_megabytes() -> float:
    """The most memory this program ever had resident. `ru_maxrss` would count the parent's from before the exec."""
    if STATUS.exists():
        [line] = [line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def start_again(module: str, order: Order, role: str) -> subprocess.CompletedProcess[str]:
    """Run the same program in a fresh process, in another role, to its end."""
    arguments = ["--url", order.url, "--variant", order.variant, "--count", str(order.count), "--role", role]
    return subprocess.run([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  # our own


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
