"""DBOS: a parent submits one-step runs to a queue in a loop and waits for all of them."""

from __future__ import annotations

from dbos import DBOS

from benchmarks import dbos_side
from benchmarks.program import answer, measured, read_order

WARM_UP = 20


@DBOS.step()
def job(number: int) -> int:
    return number


@DBOS.workflow()
def parent(count: int, poll_seconds: float) -> int:
    handles = []
    for number in range(count):
        handles.append(DBOS.enqueue_workflow(dbos_side.QUEUE, job, number))  # a loop is measured
    return sum(handle.get_result(polling_interval_sec=poll_seconds) for handle in handles)


if __name__ == "__main__":
    order = read_order()
    tally = dbos_side.launch(order)
    poll_seconds = dbos_side.poll_seconds(order)
    dbos_side.register_queue(poll_seconds)
    parent(WARM_UP, poll_seconds)
    with measured(tally) as window:
        total = parent(order.count, poll_seconds)
    assert total == sum(range(order.count))
    answer(window, order.count)
    dbos_side.leave()
