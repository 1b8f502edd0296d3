"""Perdure: whether a late step of a long run costs more than an early one."""

from __future__ import annotations

import time
from itertools import pairwise
from statistics import median

import perdure
from benchmarks.program import Tally, answer, measured, read_order

STRETCH = 100
ended_at: list[float] = []


@perdure.step
def one(number: int) -> int:
    return number


@perdure.workflow
def steps(count: int) -> int:
    ended_at.clear()
    for number in range(count):
        one(number)
        ended_at.append(time.perf_counter())
    return count


def cost(first: int, last: int) -> float:
    """The median step's cost between two steps."""
    stretch = ended_at[first : last + 1]
    return median(after - before for before, after in pairwise(stretch))


if __name__ == "__main__":
    order = read_order()
    with perdure.running(order.url):
        steps(STRETCH)
        with measured(Tally()) as window:
            steps(order.count + STRETCH)
    answer(window, order.count + STRETCH, growth=cost(order.count, order.count + STRETCH) / cost(10, 10 + STRETCH))
