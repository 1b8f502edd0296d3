"""PgQueuer, with asyncpg, the driver that its documentation shows first, on uvloop, which its command line takes.

Settings: batches of 100 (10 by default); it listens for new jobs; a submitter waits with a `CompletionWatcher` that
asks at once (its `debounce` is 50 ms by default). It tells that a job is done, and has no results.
"""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.core.completion import CompletionWatcher
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks.jobs import OnLoop, main, note

BATCH = 100


class PgqueuerJobs(OnLoop):
    """One connection to submit; a job is gone from its table once it is done."""

    left = "SELECT count(*) FROM pgqueuer"
    can_wait = True

    def install(self) -> None:
        self._connection = self.do(asyncpg.connect(self.order.url))
        self._driver = AsyncpgDriver(self._connection)
        self._queries = Queries(self._driver)
        self.do(self._queries.install())
        self._watcher = CompletionWatcher(self._driver, queries=self._queries, debounce=timedelta(0))
        self.do(self._watcher.__aenter__())

    def submit_each(self, numbers: range) -> None:
        self.do(self._submit_each(numbers))

    async def _submit_each(self, numbers: range) -> None:
        for number in numbers:
            await self._queries.enqueue("job", str(number).encode())

    def submit_many(self, numbers: range) -> None:
        payloads: list[bytes | None] = [str(number).encode() for number in numbers]
        self.do(self._queries.enqueue(["job"] * len(payloads), payloads, [0] * len(payloads)))

    def submit_and_wait(self, number: int) -> None:
        self.do(self._submit_and_wait(number))

    async def _submit_and_wait(self, number: int) -> None:
        [job_id] = await self._queries.enqueue("job", str(number).encode())
        assert await self._watcher.wait_for(job_id) == "successful"

    def work(self) -> None:
        uvloop.run(self._work())

    async def _work(self) -> None:
        queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(self.order.url)))

        @queue.entrypoint("job")
        async def job(job: Job) -> None:
            assert job.payload is not None
            note(int(job.payload))

        await queue.run(batch_size=BATCH)


if __name__ == "__main__":
    main(PgqueuerJobs)
