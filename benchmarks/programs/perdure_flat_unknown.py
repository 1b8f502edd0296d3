"""Perdure: whether ready runs of functions that a worker does not know make its claims or polls slower.

Half of them are in its own queue and before all others; asked of the store itself, one call after the other.
"""

from __future__ import annotations

from benchmarks.claiming import Bench, compared
from benchmarks.program import Tally, answer, measured, read_order
from benchmarks.statements import run_script

if __name__ == "__main__":
    order = read_order()
    bench = Bench(order.url, is_tiny=order.count < 100)
    empty = bench.costs()
    with measured(Tally()) as window:
        run_script(order, "unknown", order.count)
    answer(window, order.count, **compared(empty, bench.costs()))
    bench.close()
