"""Perdure: whether a snapshot that stays open makes claims or polls slower, while runs pass through the queue.

On Postgres what is taken from then on stays in every index until the snapshot is closed. Asked of the store itself.
"""

from __future__ import annotations

import time

from benchmarks.claiming import Bench, compared, snapshot
from benchmarks.program import Tally, answer, measured, read_order

PORTION = 200

if __name__ == "__main__":
    order = read_order()
    bench = Bench(order.url, is_tiny=order.count < 10)
    empty = bench.costs()
    passed = 0
    with snapshot(bench), measured(Tally()) as window:
        until = time.monotonic() + order.count
        while time.monotonic() < until:
            bench.cycle(PORTION)
            passed += PORTION
        figures = compared(empty, bench.costs())
        figures["head_cpu_ms"] = bench.head_cost()
    answer(window, order.count, passed=passed, **figures)
    bench.close()
