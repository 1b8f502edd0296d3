"""DBOS: many workflows of 20 steps at once, as tasks of one loop or in a thread each."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from benchmarks import dbos_side
from benchmarks.program import Order, Tally, Window, answer, measured, read_order
from benchmarks.programs.dbos_sequential import asteps, steps

STEPS = 20
THREADS = 100
WARM_UP = 10


def run_sync(order: Order, tally: Tally) -> Window:
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(steps, [STEPS] * WARM_UP))
        with measured(tally) as window:
            list(threads.map(steps, [STEPS] * order.count))
    return window


async def run_async(order: Order, tally: Tally) -> Window:
    await asyncio.gather(*(asteps(STEPS) for _ in range(WARM_UP)))
    with measured(tally) as window:
        await asyncio.gather(*(asteps(STEPS) for _ in range(order.count)))
    return window


if __name__ == "__main__":
    order = read_order()
    tally = dbos_side.launch(order)
    window = asyncio.run(run_async(order, tally)) if order.variant == "async" else run_sync(order, tally)
    answer(window, order.count * STEPS)
    dbos_side.leave()
