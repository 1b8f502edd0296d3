"""Perdure: many workflows of 20 steps at once, as tasks of one loop or in a thread each."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import perdure
from benchmarks.perdure_side import tally_of
from benchmarks.program import Order, Window, answer, measured, read_order
from benchmarks.programs.perdure_sequential import asteps, steps

STEPS = 20
THREADS = 100
WARM_UP = 10


def run_sync(order: Order) -> Window:
    with perdure.running(order.url), ThreadPoolExecutor(THREADS) as threads:
        tally = tally_of(order)
        list(threads.map(steps, [STEPS] * WARM_UP))
        with measured(tally) as window:
            list(threads.map(steps, [STEPS] * order.count))
    return window


async def run_async(order: Order) -> Window:
    async with perdure.running(order.url):
        tally = tally_of(order)
        await asyncio.gather(*(asteps(STEPS) for _ in range(WARM_UP)))
        with measured(tally) as window:
            await asyncio.gather(*(asteps(STEPS) for _ in range(order.count)))
    return window


if __name__ == "__main__":
    order = read_order()
    window = asyncio.run(run_async(order)) if order.variant == "async" else run_sync(order)
    answer(window, order.count * STEPS)
