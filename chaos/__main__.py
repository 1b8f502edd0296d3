"""`python -m chaos`: all faults, or some; exit status 1 where anything differs from what must be so."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from random import Random

from .checker import Checker
from .fault import Fault
from .faults import FAULTS
from .report import Outcome, shown, table
from .world import world


def run(fault: Fault, seed: int, wanted: int, seconds: float) -> Outcome:
    """Strike until so many of it are done, or so long; then let everything end, and look."""
    outcome, began = Outcome(fault), time.monotonic()
    outcome.skipped = fault.missing()
    if outcome.skipped is not None:
        return outcome
    try:
        with world(fault.plan) as made:
            strike = 0
            while outcome.count < wanted and time.monotonic() - began < seconds:
                strike += 1
                struck = fault.strike(made, Random(f"{seed}:{fault.name}:{strike}"))
                outcome.count += struck.count
                outcome.back += struck.back
                outcome.also += struck.also
            left = made.settle()
            checker = Checker(made.ledger, made.feeder.acknowledged, made.ask, has_one_clock=fault.has_one_clock)
            outcome.findings = checker.check(left)
            if outcome.differences:
                raise RuntimeError(f"its world is kept in {made.folder}")  # noqa: TRY301  # it ends the world, too
    except RuntimeError as failure:
        outcome.failure = str(failure)
    outcome.seconds = time.monotonic() - began
    return outcome


def main(words: Sequence[str]) -> int:
    """What is asked for by the words of a command line."""
    names = [fault.name for fault in FAULTS]
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="the same faults in the same order")
    parser.add_argument("--minutes", type=float, default=600.0, help="no more strikes of a fault after so long")
    parser.add_argument("--only", action="append", choices=names, help="this fault; may be given again")
    parser.add_argument("--times", type=int, help="how many of each, instead of as many as the documentation says")
    parser.add_argument("--short", action="store_true", help="some of each")
    given = parser.parse_args(words)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # nothing is left behind
    print(f"seed {given.seed}", flush=True)
    outcomes: list[Outcome] = []
    for fault in FAULTS:
        if given.only is None or fault.name in given.only:
            wanted = given.times or (fault.short if given.short else fault.whole)
            outcomes.append(run(fault, given.seed, wanted, given.minutes * 60))
            print(outcomes[-1].words(), flush=True)
            if outcomes[-1].differences:
                print(shown(outcomes[-1].differences), flush=True)
    print(f"\n{table(outcomes)}\n\nseed {given.seed}")
    return 1 if any(outcome.differences for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
