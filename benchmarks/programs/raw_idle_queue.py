"""The bare database: two rows committed one after the other, with a pause before, as a queued run's two writes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from benchmarks.program import Order, Tally, answer, measured, percentile, read_order
from benchmarks.statements import run_script, script

IDLE_SECONDS = 0.05
WARM_UP = 5
RUN = "6a5b0c1e-0f6f-4b9e-9a52-3d1f3c7f7a10"


def writer(order: Order) -> Callable[[int], object]:
    """What commits one row."""
    [insert] = script(order, "insert")
    if order.is_postgres:
        import psycopg  # late: the SQLite variant needs none

        cursor = psycopg.connect(order.url, autocommit=True, prepare_threshold=0).cursor()
        return lambda number: cursor.execute(insert, (RUN, number, str(number)))
    connection = sqlite3.connect(order.path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return lambda number: connection.execute(insert, (RUN, number, str(number)))


def pairs(write: Callable[[int], object], first: int, count: int) -> list[float]:
    waits = []
    for number in range(first, first + 2 * count, 2):
        time.sleep(IDLE_SECONDS)
        began = time.perf_counter()
        write(number)
        write(number + 1)
        waits.append(1_000 * (time.perf_counter() - began))
    return waits


if __name__ == "__main__":
    order = read_order()
    run_script(order, "rows", 0)
    write = writer(order)
    pairs(write, -2 * WARM_UP, WARM_UP)
    with measured(Tally()) as window:
        waits = pairs(write, 0, order.count)
    answer(window, order.count, p50_ms=percentile(waits or [0.0], 0.5), p99_ms=percentile(waits or [0.0], 0.99))
