"""A program that executes one parent with many queued children, and can be killed half-way.

`python -m tests.costs.many_children URL NUMBER LIMIT LEDGER`: starts the parent under one id, or goes on with it where
it was left. Writes a line to the ledger at every start of a body, and prints what it cost as JSON at the end.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections import Counter

import perdure
from perdure import Queue, step, workflow

NUMBER, LIMIT = (int(word) for word in sys.argv[2:4]) if len(sys.argv) > 4 else (1, 1)
queue = Queue("many", worker_concurrency=LIMIT or None)
LEDGER = os.open(sys.argv[4], os.O_WRONLY | os.O_CREAT | os.O_APPEND) if len(sys.argv) > 4 else -1


@step(name="many:child")
def child(number: int) -> int:
    """One of many."""
    os.write(LEDGER, f"{number}\n".encode())
    return number


@workflow(name="many:parent")
def parent(number: int) -> int:
    """Submit all, then wait for each."""
    handles = [queue.submit(child, each) for each in range(number)]
    return sum(handle.result() for handle in handles)


def peak_mb() -> float:
    """The most memory that this process has used."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """See the module."""
    names: Counter[str] = Counter()
    most = 0

    def note(name: str) -> None:
        nonlocal most
        names[name] += 1
        most = max(most, threading.active_count())

    with perdure.running(sys.argv[1]) as app:
        before = peak_mb()
        app._launched().store.on_statement = note  # type: ignore[attr-defined]  # the stores' own hook
        total = perdure.with_options(id="the parent").start(parent, NUMBER).result()
    print(json.dumps({"total": total, "statements": names, "threads": most, "grown_mb": peak_mb() - before}))


if __name__ == "__main__":
    main()
