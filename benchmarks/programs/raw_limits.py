"""The bare database through the same driver: rows committed one by one, and rows in batches of 1,000.

And one by one by a thread, for an event loop that awaits each: what any asyncio program pays for a commit that does not
block its loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.program import Order, Tally, Window, answer, measured, read_order
from benchmarks.statements import run_script, script

BATCH = 1_000
RUN = "6a5b0c1e-0f6f-4b9e-9a52-3d1f3c7f7a10"
WARM_UP = 50


def rows(first: int, count: int) -> list[tuple[str, int, str]]:
    return [(RUN, number, str(number)) for number in range(first, first + count)]


def batches(first: int, count: int) -> list[list[tuple[str, int, str]]]:
    return [rows(start, min(BATCH, first + count - start)) for start in range(first, first + count, BATCH)]


def by_a_thread(write: Callable[[int], object], first: int, count: int) -> None:
    """Each on a thread, while a loop waits for it."""

    async def one_after_the_other() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as thread:
            for number in range(first, first + count):
                await loop.run_in_executor(thread, write, number)

    asyncio.run(one_after_the_other())


def on_postgres(order: Order) -> Window:
    import psycopg  # late: the SQLite variant needs none

    [insert] = script(order, "insert")
    with psycopg.connect(order.url, autocommit=True, prepare_threshold=0) as connection:
        cursor = connection.cursor()

        def one_by_one(first: int, count: int) -> None:
            for row in rows(first, count):
                cursor.execute(insert, row)

        def in_batches(first: int, count: int) -> None:
            for batch in batches(first, count):
                with connection.transaction():
                    cursor.executemany(insert, batch)

        def awaited(first: int, count: int) -> None:
            by_a_thread(lambda number: cursor.execute(insert, rows(number, 1)[0]), first, count)

        work = {"single": one_by_one, "awaited": awaited, "batch": in_batches}[order.variant]
        work(-WARM_UP, WARM_UP)
        with measured(Tally()) as window:
            work(0, order.count)
    return window


def on_sqlite(order: Order) -> Window:
    [insert] = script(order, "insert")
    connection = sqlite3.connect(order.path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")

    def write(batch: list[tuple[str, int, str]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(insert, batch)
        connection.execute("COMMIT")

    def one_by_one(first: int, count: int) -> None:
        for row in rows(first, count):
            write([row])

    def awaited(first: int, count: int) -> None:
        by_a_thread(lambda number: write(rows(number, 1)), first, count)

    def in_batches(first: int, count: int) -> None:
        for batch in batches(first, count):
            write(batch)

    work = {"single": one_by_one, "awaited": awaited, "batch": in_batches}[order.variant]

    work(-WARM_UP, WARM_UP)
    with measured(Tally()) as window:
        work(0, order.count)
    connection.close()
    return window


if __name__ == "__main__":
    order = read_order()
    run_script(order, "rows", 0)
    answer(on_postgres(order) if order.is_postgres else on_sqlite(order), order.count)
