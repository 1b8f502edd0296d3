"""DBOS: sequential steps in one workflow, sync and async."""

from __future__ import annotations

import asyncio

from dbos import DBOS

from benchmarks import dbos_side
from benchmarks.program import Order, Tally, Window, answer, measured, read_order

WARM_UP = 50


@DBOS.step()
def one(number: int) -> int:
    return number


@DBOS.step()
async def aone(number: int) -> int:
    return number


@DBOS.workflow()
def steps(count: int) -> int:
    for number in range(count):
        one(number)
    return count


@DBOS.workflow()
async def asteps(count: int) -> int:
    for number in range(count):
        await aone(number)
    return count


def run_sync(order: Order, tally: Tally) -> Window:
    steps(WARM_UP)
    with measured(tally) as window:
        steps(order.count)
    return window


async def run_async(order: Order, tally: Tally) -> Window:
    await asteps(WARM_UP)
    with measured(tally) as window:
        await asteps(order.count)
    return window


if __name__ == "__main__":
    order = read_order()
    tally = dbos_side.launch(order)
    answer(asyncio.run(run_async(order, tally)) if order.variant == "async" else run_sync(order, tally), order.count)
    dbos_side.leave()
