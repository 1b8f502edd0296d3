"""Perdure: one queued run at a time on an idle system, submit to result in the same process."""

from __future__ import annotations

import time

import perdure
from benchmarks.perdure_side import tally_of
from benchmarks.program import answer, measured, percentile, read_order

IDLE_SECONDS = 0.05
WARM_UP = 5
queue = perdure.Queue("bench")


@perdure.step
def job(number: int) -> int:
    return number


def one_by_one(count: int) -> list[float]:
    waits = []
    for number in range(count):
        time.sleep(IDLE_SECONDS)
        began = time.perf_counter()
        queue.submit(job, number).result()
        waits.append(1_000 * (time.perf_counter() - began))
    return waits


if __name__ == "__main__":
    order = read_order()
    with perdure.running(order.url):
        tally = tally_of(order)
        one_by_one(WARM_UP)
        with measured(tally) as window:
            waits = one_by_one(order.count)
    answer(window, order.count, p50_ms=percentile(waits or [0.0], 0.5), p99_ms=percentile(waits or [0.0], 0.99))
