"""An event loop that commits over its own connection, and what cuts that."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import psycopg

import perdure
from perdure import step, workflow
from perdure.stores.postgres import PostgresStore
from perdure.stores.postgres.store import SENT_ENTRIES

STEPS, CUTS = 60, 12
bodies: Counter[tuple[str, int]] = Counter()


@step
async def mark(name: str, number: int) -> int:
    """Its body is counted."""
    bodies[name, number] += 1
    return number


@workflow
async def marks(name: str) -> int:
    """One step after the other."""
    return sum([await mark(name, number) for number in range(STEPS)])


def test_no_more_is_sent_at_once_than_fits_into_a_socket(postgres_url: str) -> None:
    """A loop cannot wait until the server has read it."""
    store = PostgresStore(postgres_url)
    assert [store.at_once(waiting) for waiting in (1, SENT_ENTRIES, 10_000)] == [1, SENT_ENTRIES, SENT_ENTRIES]


def test_a_connection_that_is_cut_while_a_loop_waits_repeats_nothing(postgres_url: str) -> None:
    """Whether the batch was committed is not known: it goes again over a new connection and finds its own traces."""
    bodies.clear()
    is_over = threading.Event()

    def cut() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as stranger:
            for _ in range(CUTS):
                if is_over.wait(0.05):
                    return
                stranger.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%perdure.write_%'"
                )

    async def run_all() -> list[int]:
        async with perdure.running(postgres_url):
            await marks("warm")
            cutter = threading.Thread(target=cut)
            cutter.start()
            try:
                return list(await asyncio.gather(*(marks(f"r{number}") for number in range(5))))
            finally:
                is_over.set()
                cutter.join()

    assert asyncio.run(run_all()) == [sum(range(STEPS))] * 5
    assert set(bodies.values()) == {1}
    assert len(bodies) == 6 * STEPS


def test_a_loop_that_stands_still_holds_nobody_up(postgres_url: str) -> None:
    """A coroutine that blocks while its loop's batch is on its way: a sync run commits beside it all the same."""
    has_ended = threading.Event()

    @step(name="test:aside")
    def aside() -> str:
        return "done"

    @workflow(name="test:beside")
    def beside() -> str:
        return aside()

    @workflow(name="test:blocks")
    async def blocks() -> bool:
        await mark("blocks", 0)
        thread = threading.Thread(target=lambda: (beside(), has_ended.set()))
        thread.start()
        stood_still = has_ended.wait(30)  # on the loop's own thread
        thread.join()
        return stood_still

    async def main() -> bool:
        async with perdure.running(postgres_url):
            return await blocks()

    assert asyncio.run(main())
