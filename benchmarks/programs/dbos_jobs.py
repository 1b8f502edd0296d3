"""DBOS as a queue: its client submits, workers are processes of their own.

Settings: those of `dbos_side`; the queue is polled every 0.1 s where there is much to do, and every 3 ms where one job
at a time is waited for. It has no call that submits many workflows.
"""

from __future__ import annotations

import os
import signal

from dbos import DBOS, DBOSClient

from benchmarks import dbos_side
from benchmarks.jobs import Jobs, is_idle, main, note
from benchmarks.program import Order


@DBOS.workflow(name="job")
def job(number: int) -> int:
    return note(number)


class DbosJobs(Jobs):
    """Through a client, which executes nothing."""

    left = "SELECT count(*) FROM dbos.workflow_status WHERE status NOT IN ('SUCCESS', 'ERROR', 'CANCELLED')"
    can_wait = True

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        self._poll_seconds = dbos_side.IDLE_POLL_SECONDS if is_idle(order) else dbos_side.poll_seconds(order)

    def install(self) -> None:
        self.tally = dbos_side.launch(self.order)
        dbos_side.register_queue(self._poll_seconds)
        DBOS.destroy()
        self._client = DBOSClient(system_database_url=self.order.url)

    def submit_each(self, numbers: range) -> None:
        for number in numbers:
            self._client.enqueue({"queue_name": dbos_side.QUEUE, "workflow_name": "job"}, number)

    def submit_and_wait(self, number: int) -> None:
        handle = self._client.enqueue({"queue_name": dbos_side.QUEUE, "workflow_name": "job"}, number)
        assert handle.get_result(polling_interval_sec=self._poll_seconds) == number

    def work(self) -> None:
        dbos_side.launch(self.order, str(os.getpid()))
        dbos_side.register_queue(self._poll_seconds)
        signal.pause()

    def close(self) -> None:
        dbos_side.leave()


if __name__ == "__main__":
    main(DbosJobs)
