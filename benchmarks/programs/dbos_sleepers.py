"""DBOS: many runs that sleep two seconds; how late the last of them wakes, and with how many threads."""

from __future__ import annotations

import asyncio

from dbos import DBOS

from benchmarks import dbos_side
from benchmarks.program import Order, Tally, Window, answer, measured, read_order
from benchmarks.sleeping import SLEEP_SECONDS, Dormitory

beds = Dormitory()


@DBOS.workflow()
def nap(number: int) -> int:
    beds.lie_down(number)
    DBOS.sleep(SLEEP_SECONDS)
    beds.get_up(number)
    return number


@DBOS.workflow()
async def anap(number: int) -> int:
    beds.lie_down(number)
    await DBOS.sleep_async(SLEEP_SECONDS)
    beds.get_up(number)
    return number


def run_sync(order: Order, tally: Tally) -> Window:
    poll_seconds = dbos_side.poll_seconds(order)
    with measured(tally) as window:
        for handle in [DBOS.start_workflow(nap, number) for number in range(order.count)]:
            handle.get_result(polling_interval_sec=poll_seconds)
    return window


async def run_async(order: Order, tally: Tally) -> Window:
    poll_seconds = dbos_side.poll_seconds(order)
    with measured(tally) as window:
        started = await asyncio.gather(*(DBOS.start_workflow_async(anap, number) for number in range(order.count)))
        await asyncio.gather(*(one.get_result(polling_interval_sec=poll_seconds) for one in started))
    return window


if __name__ == "__main__":
    order = read_order()
    tally = dbos_side.launch(order)
    window = asyncio.run(run_async(order, tally)) if order.variant == "async" else run_sync(order, tally)
    answer(window, order.count, **beds.figures())
    dbos_side.leave()
