"""Perdure: how much sooner a chain of pure steps is done."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import perdure
from benchmarks.program import Order, Tally, Window, answer, measured, read_order

TURNS = 3
WARM_UP = 50


@perdure.step
def one(number: int) -> int:
    return number


@perdure.step(pure=True)
def pure(number: int) -> int:
    return number


@perdure.step
async def aone(number: int) -> int:
    return number


@perdure.step(pure=True)
async def apure(number: int) -> int:
    return number


@perdure.workflow
def steps(count: int, is_pure: bool) -> int:
    chosen = pure if is_pure else one
    for number in range(count):
        chosen(number)
    return count


@perdure.workflow
async def asteps(count: int, is_pure: bool) -> int:
    chosen = apure if is_pure else aone
    for number in range(count):
        await chosen(number)
    return count


async def turns(order: Order) -> tuple[Window, float]:
    """What the pure chains took, and how much longer the others did, by the median of either."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    async with perdure.running(order.url):
        with measured(Tally()) as window:
            for turn in range(TURNS + 1):
                for is_pure in seconds:
                    count = order.count if turn else min(order.count, WARM_UP)
                    began = time.perf_counter()
                    if order.variant == "async":
                        await asteps(count, is_pure)
                    else:
                        steps(count, is_pure)
                    if turn:
                        seconds[is_pure].append(time.perf_counter() - began)
    window.seconds = median(seconds[True])
    return window, median(seconds[False]) / window.seconds


if __name__ == "__main__":
    order = read_order()
    window, gain = asyncio.run(turns(order))
    answer(window, order.count, gain=gain)
