"""`perdure queues`: the queues that have something to do."""

from __future__ import annotations

import argparse

from ..command import DONE, Command, Context
from ..times import since

COUNTED = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(context: Context) -> int:
    """A row for each."""
    with context.client() as client:
        queues = client.queues()
    if context.screen.is_json:
        context.screen.json({"queues": queues})
        return DONE
    rows = [
        (
            queue.name or "(started)",
            f"{queue.ready}{'+' if queue.ready >= COUNTED else ''}",
            queue.held,
            since(queue.waiting_since),
        )
        for queue in queues
    ]
    context.screen.table(("queue", "ready", "held", "the next waits"), rows)
    if not rows:
        context.screen.note("no queue has anything to do")
    return DONE


COMMAND = Command("queues", "The queues that have something to do.", "perdure queues --json", add_arguments, run)
