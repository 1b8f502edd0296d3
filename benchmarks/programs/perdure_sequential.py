"""Perdure: sequential steps in one workflow, sync and async."""

from __future__ import annotations

import asyncio

import perdure
from benchmarks.perdure_side import tally_of
from benchmarks.program import Order, Window, answer, measured, read_order

WARM_UP = 50


@perdure.step
def one(number: int) -> int:
    return number


@perdure.step
async def aone(number: int) -> int:
    return number


@perdure.workflow
def steps(count: int) -> int:
    for number in range(count):
        one(number)
    return count


@perdure.workflow
async def asteps(count: int) -> int:
    for number in range(count):
        await aone(number)
    return count


def run_sync(order: Order) -> Window:
    with perdure.running(order.url):
        tally = tally_of(order)
        steps(WARM_UP)
        with measured(tally) as window:
            steps(order.count)
    return window


async def run_async(order: Order) -> Window:
    async with perdure.running(order.url):
        tally = tally_of(order)
        await asteps(WARM_UP)
        with measured(tally) as window:
            await asteps(order.count)
    return window


if __name__ == "__main__":
    order = read_order()
    answer(asyncio.run(run_async(order)) if order.variant == "async" else run_sync(order), order.count)
