"""Absurd: its Python SDK; the tables are those that its own command line, `absurdctl`, brings and makes.

Settings: async workers, concurrency 100 (1 by default); they look for new tasks every 10 ms (0.25 s by default), for
it has no notifications. Results are waited for by its own polling. It has no call that spawns many.
"""

from __future__ import annotations

import asyncio

import psycopg
from absurd_sdk import Absurd, AsyncAbsurd
from absurdctl import BUNDLED_SCHEMA_SQL

from benchmarks.jobs import Jobs, main, note

CONCURRENCY = 100
POLL_SECONDS = 0.01


class AbsurdJobs(Jobs):
    """One connection to spawn."""

    left = "SELECT count(*) FROM absurd.t_bench WHERE state NOT IN ('completed', 'failed', 'cancelled')"
    can_wait = True

    def install(self) -> None:
        with psycopg.connect(self.order.url) as connection:
            connection.execute(BUNDLED_SCHEMA_SQL)
        self._app = Absurd(self.order.url, queue_name="bench")
        self._app.create_queue("bench")

    def submit_each(self, numbers: range) -> None:
        for number in numbers:
            self._app.spawn("job", {"number": number}, queue="bench")

    def submit_and_wait(self, number: int) -> None:
        spawned = self._app.spawn("job", {"number": number}, queue="bench")
        assert self._app.await_task_result(spawned["task_id"]).result == number

    def work(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        app = AsyncAbsurd(self.order.url, queue_name="bench")

        @app.register_task(name="job")
        async def job(params: dict[str, int], context: object) -> int:
            return note(params["number"])

        await app.start_worker(concurrency=CONCURRENCY, poll_interval=POLL_SECONDS)

    def close(self) -> None:
        self._app.close()


if __name__ == "__main__":
    main(AbsurdJobs)
