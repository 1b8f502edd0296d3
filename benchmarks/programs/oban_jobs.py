"""Oban, the open one (the licensed one inserts and acknowledges in batches), on uvloop, which its command line takes.

Settings: a limit of 20 (10 in its documentation); a pool of at most 10 connections, its default; it is told of new
jobs. It has no results without its licence and no way to wait.
"""

from __future__ import annotations

import asyncio

import uvloop
from oban import Oban, worker
from oban.job import Job
from oban.schema import install

from benchmarks.jobs import OnLoop, main, note

LIMIT = 20


@worker(queue="bench")
class Work:
    async def process(self, job: Job) -> None:
        note(job.args["number"])


class ObanJobs(OnLoop):
    """A client: an instance without queues."""

    left = "SELECT count(*) FROM oban_jobs WHERE state NOT IN ('completed', 'cancelled', 'discarded')"

    def install(self) -> None:
        self._pool = self.do(Oban.create_pool(self.order.url))
        self.do(install(self._pool))
        self._oban = Oban(pool=self._pool)
        self.do(self._oban.start())

    def submit_each(self, numbers: range) -> None:
        self.do(self._submit_each(numbers))

    async def _submit_each(self, numbers: range) -> None:
        for number in numbers:
            await self._oban.enqueue(Work.new({"number": number}))

    def submit_many(self, numbers: range) -> None:
        self.do(self._oban.enqueue_many(Work.new({"number": number}) for number in numbers))

    def work(self) -> None:
        uvloop.run(self._work())

    async def _work(self) -> None:
        async with Oban(pool=await Oban.create_pool(self.order.url), queues={"bench": LIMIT}):
            await asyncio.Event().wait()

    def close(self) -> None:
        self.do(self._oban.stop())
        self.do(self._pool.close())


if __name__ == "__main__":
    main(ObanJobs)
