"""Perdure: workflows started and awaited, from one loop or from 32 threads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import perdure
from benchmarks.perdure_side import tally_of
from benchmarks.program import Order, Window, answer, measured, read_order

THREADS = 32
WAVE = 1_000
WARM_UP = 100


@perdure.workflow
def echo(number: int) -> int:
    return number


@perdure.workflow
async def aecho(number: int) -> int:
    return number


def start_all(count: int, threads: ThreadPoolExecutor) -> None:
    for handle in list(threads.map(lambda number: perdure.start(echo, number), range(count))):
        handle.result()


def waves(count: int) -> Iterator[range]:
    for first in range(0, count, WAVE):
        yield range(first, min(first + WAVE, count))


async def astart_all(count: int) -> None:
    handles = []
    for wave in waves(count):
        handles += await asyncio.gather(*(perdure.astart(aecho, number) for number in wave))
    for handle in handles:
        await handle


def run_sync(order: Order) -> Window:
    with perdure.running(order.url), ThreadPoolExecutor(THREADS) as threads:
        tally = tally_of(order)
        start_all(WARM_UP, threads)
        with measured(tally) as window:
            start_all(order.count, threads)
    return window


async def run_async(order: Order) -> Window:
    async with perdure.running(order.url):
        tally = tally_of(order)
        await astart_all(WARM_UP)
        with measured(tally) as window:
            await astart_all(order.count)
    return window


if __name__ == "__main__":
    order = read_order()
    answer(asyncio.run(run_async(order)) if order.variant == "async" else run_sync(order), order.count)
