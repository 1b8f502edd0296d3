"""Make a failing program small: python -m tests.generated.shrink SEED [SECONDS] prints the smallest that still fails.

Many copies of the program live in one process and are killed together, so each candidate takes seconds.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from tests.generated.hosts import Host, hosting
from tests.generated.program import Program, generate, smaller
from tests.generated.trial import try_together
from tests.interpreters import interpreters

COPIES = 24
LOOPS = ("stock", "uvloop")
NUMBERS = count(1)


def fails(program: Program, hosts: Sequence[Host], folder: Path, tries: int = 2) -> list[str]:
    """What does not hold of one of its copies, or nothing."""
    for _ in range(tries):
        number = next(NUMBERS)
        copies = [replace(program, copy=number * 1000 + place) for place in range(COPIES)]
        chance = random.Random(number)  # noqa: S311  # where to kill
        trial = try_together(
            copies, str(folder / f"{number}.db"), folder / str(number), hosts, chance, kills=4, loops=LOOPS
        )
        for found in trial.failures().values():
            return found
    return []


def shrink(program: Program, hosts: Sequence[Host], folder: Path, seconds: float) -> tuple[Program, list[str]]:
    """The smallest failing program that could be found in that time, and what does not hold of it."""
    give_up_at = time.monotonic() + seconds
    breaches = fails(program, hosts, folder, tries=10)
    is_smaller = bool(breaches)
    while is_smaller:
        is_smaller = False
        for candidate in smaller(program):
            if time.monotonic() > give_up_at:
                return program, breaches
            if found := fails(candidate, hosts, folder):
                program, breaches, is_smaller = candidate, found, True
                break
    return program, breaches


def main(seed: int, seconds: float = 120) -> None:
    """See the module."""
    pythons = [sys.executable, sys.executable, *interpreters()[1:]]
    with tempfile.TemporaryDirectory() as name, hosting(pythons, Path(name)) as hosts:
        program, breaches = shrink(generate(seed), hosts, Path(name), seconds)
    print(program.source())
    print("\n".join(breaches) or "it did not fail")


if __name__ == "__main__":
    main(int(sys.argv[1]), *map(float, sys.argv[2:]))
