"""Perdure as a queue: a `Client` that submits, workers in processes of their own. Settings: the defaults."""

from __future__ import annotations

import signal

import perdure
from benchmarks.jobs import Jobs, main, note
from benchmarks.program import Order

queue = perdure.Queue("bench")


@perdure.step
async def job(number: int) -> int:
    return note(number)


class PerdureJobs(Jobs):
    """Through a client, which executes nothing."""

    left = "SELECT count(*) FROM perdure.runs WHERE finished_at IS NULL"
    can_wait = True

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        self._client = perdure.Client(self.order.url)
        self._jobs = self._client.with_options(queue=queue)

    def submit_each(self, numbers: range) -> None:
        for number in numbers:
            self._jobs.submit(job, number)

    def submit_many(self, numbers: range) -> None:
        self._jobs.submit_many(job, ((number,) for number in numbers))

    def submit_and_wait(self, number: int) -> None:
        assert self._jobs.submit(job, number).result(60) == number

    def work(self) -> None:
        with perdure.running(self.order.url):
            signal.pause()

    def close(self) -> None:
        self._client.close()


if __name__ == "__main__":
    main(PerdureJobs)
