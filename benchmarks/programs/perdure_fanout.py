"""Perdure: a parent submits one-step runs to a queue in a loop and waits for all of them."""

from __future__ import annotations

import perdure
from benchmarks.perdure_side import tally_of
from benchmarks.program import answer, measured, read_order

WARM_UP = 20
WIDE = 200
queue = perdure.Queue("bench")
wide_queue = perdure.Queue("bench-wide", worker_concurrency=WIDE)


@perdure.step
def job(number: int) -> int:
    return number


@perdure.workflow
def parent(count: int, is_wide: bool) -> int:
    jobs = wide_queue if is_wide else queue
    handles = []
    for number in range(count):
        handles.append(jobs.submit(job, number))  # a loop is what is measured
    return sum(handle.result() for handle in handles)


if __name__ == "__main__":
    order = read_order()
    with perdure.running(order.url):
        tally = tally_of(order)
        parent(WARM_UP, order.variant == "wide")
        with measured(tally) as window:
            total = parent(order.count, order.variant == "wide")
    assert total == sum(range(order.count))
    answer(window, order.count)
