"""DBOS: many workflows of ten steps, killed half-way; from the restart of the process until all are done."""

from __future__ import annotations

import asyncio

from dbos import DBOS

from benchmarks import dbos_side, recovering
from benchmarks.program import Order, answer, measured, read_order
from benchmarks.recovering import STEPS, Progress

progress = Progress()
COUNT_DONE = {
    "postgres": "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'",
    "sqlite": "SELECT count(*) FROM workflow_status WHERE status = 'SUCCESS'",
}


@DBOS.step()
async def one(number: int) -> int:
    await progress.step()
    return number


@DBOS.workflow()
async def steps(count: int) -> int:
    for number in range(count):
        await one(number)
    return count


async def start_and_die(order: Order) -> None:
    progress.kill_after(order.count * STEPS // 2)
    dbos_side.launch(order)
    await asyncio.gather(*(DBOS.start_workflow_async(steps, STEPS) for _ in range(order.count)))
    progress.begin()
    await asyncio.sleep(3_600)


def recover(order: Order) -> None:
    progress.begin()
    dbos_side.launch(order)
    recovering.wait_until_done(order, COUNT_DONE["postgres" if order.is_postgres else "sqlite"])


if __name__ == "__main__":
    order = read_order()
    if order.role == "first":
        asyncio.run(start_and_die(order))
    elif order.role == "second":
        with measured(recovering.nothing()) as window:
            recover(order)
        answer(window, order.count)
        dbos_side.leave()
    else:
        recovering.kill_and_restart("benchmarks.programs.dbos_recovery", order)
