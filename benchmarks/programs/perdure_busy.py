"""Perdure: sequential steps beside one thread that computes in Python without a pause."""

from __future__ import annotations

import perdure
from benchmarks.busy import busy_thread, gil_waits
from benchmarks.perdure_side import tally_of
from benchmarks.program import answer, measured, read_order
from benchmarks.programs.perdure_sequential import WARM_UP, steps

if __name__ == "__main__":
    order = read_order()
    with perdure.running(order.url):
        tally = tally_of(order)
        steps(WARM_UP)
        with busy_thread(), measured(tally) as window:
            steps(order.count)
    answer(window, order.count, gil_waits=gil_waits(window.seconds, order.count))
