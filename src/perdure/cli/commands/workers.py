"""`perdure workers`: the processes that work on this database."""

from __future__ import annotations

import argparse

from ..command import DONE, Command, Context
from ..times import since, span
from .runs_list import first_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(context: Context) -> int:
    """A row for each."""
    with context.client() as client:
        workers = client.workers()
    if context.screen.is_json:
        context.screen.json({"workers": workers})
        return DONE
    rows = [
        (
            worker.worker_id,
            worker.hostname,
            worker.pid,
            since(worker.joined_at),
            span(worker.silent_seconds),
            worker.held,
            first_line(", ".join(queue or "(started)" for queue in worker.queues)),
            "late" if worker.is_late else "well",
        )
        for worker in workers
    ]
    context.screen.table(("worker", "host", "pid", "joined", "last seen", "holds", "serves", "state"), rows)
    if not rows:
        context.screen.note("nobody works on this database")
    return DONE


COMMAND = Command("workers", "The processes that work on this database.", "perdure workers", add_arguments, run)
