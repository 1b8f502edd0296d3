"""What limits that hold for all workers cost a claim. `python -m benchmarks.flow` prints it.

A queue without limits; with `concurrency`, while 64 runs are held; with a rate; with 100,000 keys, of which one has
half of all runs, and a limit for each; and the same where every key is full. The processor's time is the server's (of
the sessions of this database; on SQLite of the thread), as in `benchmarks.claiming`; the least of the rounds counts.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.claiming import NAMES, VALUE, Bench
from benchmarks.databases import serving
from perdure._engine.ids import fresh_id
from perdure._entries import RunCreated
from perdure.stores.protocol import ClaimRequest

TOGETHER = 1_000
HELD = 64
SIZES = (1, 8, 32)


class Flow(Bench):
    """A database, its worker, and what that holds."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.claimed: list[Any] = []

    def limit(self, **changes: object) -> None:
        """Set for the queue."""
        self.store.limits.set("bench", changes, is_known=True)

    def fill(self, keys: list[str | None]) -> None:
        """A ready run for each of the keys."""
        for first in range(0, len(keys), TOGETHER):
            part = keys[first : first + TOGETHER]
            runs = [
                RunCreated(
                    fresh_id(),
                    "step",
                    NAMES[0],
                    "f" * 16,
                    VALUE,
                    fresh_id(),
                    queue="bench",
                    max_attempts=9,
                    flow_key=key,
                )
                for key in part
            ]
            self.store.create(runs)

    def take(self, count: int) -> list[Any]:
        """One claim of so many; what it gives."""
        request = ClaimRequest({"bench": count}, NAMES)
        runs: list[Any] = self.store.claim(self.worker, request, [fresh_id() for _ in range(count)]).runs
        return runs

    def take_all(self) -> list[Any]:
        """Until nothing more is given."""
        found: list[Any] = []
        while True:
            request = ClaimRequest({"bench": 256}, NAMES)
            claimed = self.store.claim(self.worker, request, [fresh_id() for _ in range(256)])
            found += claimed.runs
            if claimed.short:
                return found

    def measured(self, count: int, rounds: int, prepare: Callable[[], object] = lambda: None) -> float:
        """Milliseconds of the processor for a claim of so many, after the last ones have ended."""

        def again() -> None:
            if self.claimed:
                self.end(self.claimed)
            self.claimed = []
            prepare()

        def claim() -> None:
            self.claimed = self.take(count)

        found = self.cost(claim, rounds, again)[0]
        if self.claimed:
            self.end(self.claimed)
        self.claimed = []
        return found


def plain(flow: Flow, rounds: int, scale: int) -> Iterator[tuple[str, list[float]]]:
    """One line of runs, and three ways to limit it."""
    flow.fill([None] * min(scale, 50_000))
    yield "no limits", [flow.measured(size, rounds) for size in SIZES]
    flow.limit(concurrency=1_000)
    held = flow.take(HELD)
    yield f"concurrency, {HELD} held", [flow.measured(size, rounds) for size in SIZES]
    flow.end(held)
    flow.limit(concurrency=None, rate=[10_000_000, 60.0])
    yield "rate", [flow.measured(size, rounds) for size in SIZES]


def keyed(flow: Flow, rounds: int, scale: int) -> Iterator[tuple[str, list[float]]]:
    """Many keys, of which one has half of all runs."""
    keys = scale // 2
    flow.limit(key_concurrency=2)
    flow.fill([f"key {number}" for number in range(keys)] + ["key 0"] * keys)
    flow.take(1)  # the first look makes turns of a thousand keys, and so do those that follow
    for _ in range(keys // TOGETHER):
        flow.end(flow.take(1))
    yield (
        f"{keys:,} keys, one with half of {2 * keys:,} runs, two at once each",
        [flow.measured(size, rounds) for size in SIZES],
    )


def full(flow: Flow, rounds: int, scale: int) -> Iterator[tuple[str, list[float]]]:
    """Every key is full; and one end at a time makes room."""
    keys = scale // 2
    flow.limit(key_concurrency=1)
    flow.fill([f"key {number}" for number in range(keys)] * 2)
    held = flow.take_all()
    yield f"{len(held):,} keys, all full: nothing to be had", [flow.measured(size, rounds) for size in SIZES]

    def free() -> None:
        flow.end([held.pop()])

    yield "the same, what one end makes room for", [flow.measured(1, rounds, free)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stores", nargs="+", default=["sqlite", "postgres"])
    given = parser.parse_args()
    print("| store | claims of a queue with | " + " | ".join(f"{size}" for size in SIZES) + " |")
    print("| --- | --- | " + " | ".join("---" for _ in SIZES) + " |")
    with tempfile.TemporaryDirectory(prefix="bench-"), serving() as databases:
        for kind in given.stores:
            for case in (plain, keyed, full):
                with databases.fresh(kind) as url:
                    flow = Flow(url)
                    for what, costs in case(flow, given.rounds, given.runs):
                        cells = [f"{cost:.2f} ms" for cost in costs] + [""] * (len(SIZES) - len(costs))
                        print("|", kind, "|", what, "|", " | ".join(cells), "|", flush=True)
                    flow.store.close()


if __name__ == "__main__":
    main()
