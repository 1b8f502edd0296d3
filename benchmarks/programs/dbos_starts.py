"""DBOS: workflows started and awaited, from one loop or from 32 threads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS

from benchmarks import dbos_side
from benchmarks.program import Order, Tally, Window, answer, measured, read_order

THREADS = 32
WAVE = 1_000
WARM_UP = 100


@DBOS.workflow()
def echo(number: int) -> int:
    return number


@DBOS.workflow()
async def aecho(number: int) -> int:
    return number


def start_all(count: int, threads: ThreadPoolExecutor, poll_seconds: float) -> None:
    for handle in list(threads.map(lambda number: DBOS.start_workflow(echo, number), range(count))):
        handle.get_result(polling_interval_sec=poll_seconds)


def waves(count: int) -> Iterator[range]:
    for first in range(0, count, WAVE):
        yield range(first, min(first + WAVE, count))


async def astart_all(count: int, poll_seconds: float) -> None:
    handles = []
    for wave in waves(count):
        handles += await asyncio.gather(*(DBOS.start_workflow_async(aecho, number) for number in wave))
    for handle in handles:
        await handle.get_result(polling_interval_sec=poll_seconds)


def run_sync(order: Order, tally: Tally) -> Window:
    poll_seconds = dbos_side.poll_seconds(order)
    with ThreadPoolExecutor(THREADS) as threads:
        start_all(WARM_UP, threads, poll_seconds)
        with measured(tally) as window:
            start_all(order.count, threads, poll_seconds)
    return window


async def run_async(order: Order, tally: Tally) -> Window:
    poll_seconds = dbos_side.poll_seconds(order)
    await astart_all(WARM_UP, poll_seconds)
    with measured(tally) as window:
        await astart_all(order.count, poll_seconds)
    return window


if __name__ == "__main__":
    order = read_order()
    tally = dbos_side.launch(order)
    answer(asyncio.run(run_async(order, tally)) if order.variant == "async" else run_sync(order, tally), order.count)
    dbos_side.leave()
