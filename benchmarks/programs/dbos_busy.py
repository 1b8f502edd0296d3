"""DBOS: sequential steps beside one thread that computes in Python without a pause."""

from __future__ import annotations

from benchmarks import dbos_side
from benchmarks.busy import busy_thread, gil_waits
from benchmarks.program import answer, measured, read_order
from benchmarks.programs.dbos_sequential import WARM_UP, steps

if __name__ == "__main__":
    order = read_order()
    tally = dbos_side.launch(order)
    steps(WARM_UP)
    with busy_thread(), measured(tally) as window:
        steps(order.count)
    answer(window, order.count, gil_waits=gil_waits(window.seconds, order.count))
    dbos_side.leave()
