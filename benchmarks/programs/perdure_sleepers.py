"""Perdure: many runs that sleep two seconds; how late the last of them wakes, and with how many threads."""

from __future__ import annotations

import asyncio

import perdure
from benchmarks.perdure_side import tally_of
from benchmarks.program import Order, Window, answer, measured, read_order
from benchmarks.sleeping import SLEEP_SECONDS, Dormitory

beds = Dormitory()


@perdure.workflow
def nap(number: int) -> int:
    beds.lie_down(number)
    perdure.sleep(SLEEP_SECONDS)
    beds.get_up(number)
    return number


@perdure.workflow
async def anap(number: int) -> int:
    beds.lie_down(number)
    await perdure.sleep(SLEEP_SECONDS)
    beds.get_up(number)
    return number


def run_sync(order: Order) -> Window:
    with perdure.running(order.url):
        tally = tally_of(order)
        with measured(tally) as window:
            for handle in [perdure.start(nap, number) for number in range(order.count)]:
                handle.result()
    return window


async def run_async(order: Order) -> Window:
    async with perdure.running(order.url):
        tally = tally_of(order)
        with measured(tally) as window:
            started = await asyncio.gather(*(perdure.astart(anap, number) for number in range(order.count)))
            await asyncio.gather(*started)
    return window


if __name__ == "__main__":
    order = read_order()
    window = asyncio.run(run_async(order)) if order.variant == "async" else run_sync(order)
    answer(window, order.count, **beds.figures())
