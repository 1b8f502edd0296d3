"""Perdure: whether a million finished runs make anything slower: steps, starts and queued runs before and after.

The history is copied from one finished run, set-wise, between the two measurements.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import perdure
from benchmarks.program import Tally, answer, measured, read_order
from benchmarks.programs.perdure_starts import echo
from benchmarks.statements import run_script

TIMES = 5
STEPS, STARTS, QUEUED = 200, 100, 200
queue = perdure.Queue("bench")


@perdure.step
def one(number: int) -> int:
    return number


@perdure.workflow
def steps(count: int) -> int:
    for number in range(count):
        one(number)
    return count


def start_some(count: int) -> None:
    for handle in [perdure.start(echo, number) for number in range(count)]:
        handle.result()


def submit_some(count: int) -> None:
    list(queue.map(one, range(count)))


PROBES: dict[str, tuple[Callable[[int], object], int]] = {
    "steps": (steps, STEPS),
    "starts": (start_some, STARTS),
    "queued": (submit_some, QUEUED),
}


def probe(url: str, most: int) -> dict[str, float]:
    """The best of some tries of each kind of work, so that a neighbour's noise is no growth; of `most` units each."""
    best: dict[str, float] = {}
    with perdure.running(url):
        for work, count in PROBES.values():
            work(min(count, most))
        for _ in range(TIMES):
            for name, (work, count) in PROBES.items():
                began = time.perf_counter()
                work(min(count, most))
                best[name] = min(best.get(name, float("inf")), time.perf_counter() - began)
    return best


if __name__ == "__main__":
    order = read_order()
    before = probe(order.url, order.count)
    with perdure.running(order.url):
        perdure.with_options(id="template").start(steps, 3).result()
    with measured(Tally()) as window:
        run_script(order, "history", order.count)
    after = probe(order.url, order.count)
    growths = {f"growth_{name}": after[name] / before[name] for name in before}
    answer(window, order.count, growth=max(growths.values()), **growths)
