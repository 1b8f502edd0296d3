"""What a claim costs where limits hold: `python -m benchmarks.limited [--runs N] [--keys N] [--store sqlite|postgres]`.

Runs of as many keys as given, half of them of one. Asked of the store itself, by one worker; milliseconds of the
processor (the server's sessions'; of the thread on SQLite), the least of the rounds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.claiming import IN_BATCH, NAMES, VALUE, Bench
from benchmarks.databases import serving
from benchmarks.shape import STORES
from perdure._engine.ids import fresh_id
from perdure._entries import RunCreated
from perdure.stores.protocol import Claimed, ClaimRequest

AT_ONCE = 1_000
SIZES = (1, IN_BATCH, 32, 256)
ROUNDS = 12
LOOKED_AT_ONCE = 400
"""So many keys that are full leave the line with one claim, at least."""
STIRRED_AT_ONCE = 1_000
"""So many stirs are read by one claim: each batch of new runs makes one for each of its keys."""
LEAST_RUNS = 20_000
QUEUE = "limited"
CASES: dict[str, dict[str, Any]] = {
    "no limits": {},
    "a limit over all workers": {"concurrency": 100_000},
    "a rolling window": {"rate": [1_000_000, 60.0]},
    "keys, one of each at a time": {"key_concurrency": 1},
}


class Limited(Bench):
    """A queue with limits, on a store of its own."""

    def fill(self, count: int, keys: int) -> None:
        """So many ready runs; of keys, if any, the first has half of them."""
        for first in range(0, count, AT_ONCE):
            self.store.create(
                [
                    RunCreated(
                        *(fresh_id(), "step", NAMES[0], "f" * 16, VALUE, fresh_id()),
                        queue=QUEUE,
                        flow_key=None if not keys else "hot" if number % 2 else f"key {number // 2 % keys}",
                    )
                    for number in range(first, min(first + AT_ONCE, count))
                ]
            )

    def limit(self, **limits: Any) -> None:
        """Set these."""
        self.store.limits.set(QUEUE, limits, is_known=True)

    def ask(self, most: int) -> Claimed:
        """One claim."""
        request = ClaimRequest({QUEUE: most}, NAMES)
        claimed: Claimed = self.store.claim(self.worker, request, [fresh_id() for _ in range(most)])
        return claimed

    def least(self, work: Callable[[], Any], then: Callable[[Any], None]) -> float:
        """Milliseconds of the processor that it takes at least; what comes of it is given to `then`, uncounted."""
        found = []
        for _ in range(ROUNDS):
            began = self.processor_seconds()
            made = work()
            found.append(self.processor_seconds() - began)
            then(made)
        return min(found) * 1e3


def of_claims(bench: Limited) -> str:
    """A claim of each size, as a row of the table."""
    costs = [bench.least(partial(bench.ask, most), lambda claimed: bench.end(claimed.runs)) for most in SIZES]
    return " / ".join(f"{cost:.2f}" for cost in costs)


def of_full_keys(bench: Limited, keys: int) -> tuple[float, float]:
    """A claim that finds all keys full, and an end with the claim of what that makes room for."""
    held: list[Any] = []
    while runs := bench.ask(256).runs:
        held += runs
    for _ in range(keys // LOOKED_AT_ONCE + 1):  # they leave the line
        held += bench.ask(256).runs
    full = bench.least(lambda: bench.ask(IN_BATCH), lambda claimed: held.extend(claimed.runs))
    spare = iter(held)

    def one_ends() -> Claimed:
        bench.end([next(spare)])
        return bench.ask(IN_BATCH)

    return full, bench.least(one_ends, lambda claimed: None)


def report(url: str, case: str, count: int, keys: int) -> None:
    """One case, in a database of its own."""
    bench, limits = Limited(url), CASES[case]
    is_keyed = "key_concurrency" in limits
    bench.fill(count, keys if is_keyed else 0)
    if limits:
        bench.limit(**limits)
    looks = 1 + is_keyed * (count // STIRRED_AT_ONCE + 1)
    began = bench.processor_seconds()
    for _ in range(looks):
        bench.end(bench.ask(1).runs)
    first = (bench.processor_seconds() - began) * 1e3 / looks
    print(f"  {case}: {of_claims(bench)}; each of the first {looks}, with an end: {first:.1f}", flush=True)
    if is_keyed:
        full, one_end = of_full_keys(bench, keys)
        print(
            f"  all {keys:,} keys full: {full:.2f}; one ends, and what that makes room for: {one_end:.2f}", flush=True
        )
    bench.close()


def main() -> int:
    """Both stores, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400_000)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--store", choices=STORES)
    given = parser.parse_args()
    if given.runs < LEAST_RUNS or given.keys < LEAST_RUNS // 4:
        parser.error(
            f"give {LEAST_RUNS:,} runs and {LEAST_RUNS // 4:,} keys at least: fewer are used up while it measures"
        )
    with serving() as databases:
        for store in STORES if given.store is None else (given.store,):
            print(f"\n{store}: a claim of {' / '.join(map(str, SIZES))}, ms of the processor")
            for case in CASES:
                with databases.fresh(store) as url:
                    report(url, case, given.runs, given.keys)
    return 0


if __name__ == "__main__":
    sys.exit(main())
