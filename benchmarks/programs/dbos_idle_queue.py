"""DBOS: one queued run at a time on an idle system, submit to result; by default, and polling at its fastest."""

from __future__ import annotations

import time

from dbos import DBOS

from benchmarks import dbos_side
from benchmarks.program import answer, measured, percentile, read_order

IDLE_SECONDS = 0.05
WARM_UP = 5
DEFAULT_POLL_SECONDS = 1.0


@DBOS.step()
def job(number: int) -> int:
    return number


def one_by_one(count: int, poll_seconds: float) -> list[float]:
    waits = []
    for number in range(count):
        time.sleep(IDLE_SECONDS)
        began = time.perf_counter()
        DBOS.enqueue_workflow(dbos_side.QUEUE, job, number).get_result(polling_interval_sec=poll_seconds)
        waits.append(1_000 * (time.perf_counter() - began))
    return waits


if __name__ == "__main__":
    order = read_order()
    poll_seconds = DEFAULT_POLL_SECONDS if order.variant == "defaults" else dbos_side.IDLE_POLL_SECONDS
    tally = dbos_side.launch(order)
    dbos_side.register_queue(poll_seconds)
    one_by_one(WARM_UP if order.variant != "defaults" else 1, poll_seconds)
    with measured(tally) as window:
        waits = one_by_one(order.count, poll_seconds)
    answer(window, order.count, p50_ms=percentile(waits or [0.0], 0.5), p99_ms=percentile(waits or [0.0], 0.99))
    dbos_side.leave()
