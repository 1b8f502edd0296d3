"""Procrastinate: async tasks, a sync connector to submit.

Settings: concurrency 30 (1 by default); it listens for new jobs; its log is off. It fetches jobs one by one, has no
results and no way to wait for a job.
"""

from __future__ import annotations

import asyncio
import logging

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.tasks import Task

from benchmarks.jobs import Jobs, main, note

CONCURRENCY = 30
logging.getLogger("procrastinate").setLevel(logging.ERROR)


async def job(number: int) -> None:
    note(number)


def task_of(app: App) -> Task[..., object, ...]:
    """The task, of an app whose connector is known."""
    return app.task(name="job", queue="bench")(job)


class ProcrastinateJobs(Jobs):
    """A pool of one connection to submit."""

    left = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"

    def install(self) -> None:
        self._app = App(connector=SyncPsycopgConnector(conninfo=self.order.url, min_size=1, max_size=1))
        self._task = task_of(self._app)
        self._app.open()
        self._app.schema_manager.apply_schema()

    def submit_each(self, numbers: range) -> None:
        for number in numbers:
            self._task.defer(number=number)

    def submit_many(self, numbers: range) -> None:
        self._task.batch_defer(*({"number": number} for number in numbers))

    def work(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        app = App(connector=PsycopgConnector(conninfo=self.order.url))
        task_of(app)
        async with app.open_async():
            await app.run_worker_async(queues=["bench"], concurrency=CONCURRENCY)

    def close(self) -> None:
        self._app.close()


if __name__ == "__main__":
    main(ProcrastinateJobs)
