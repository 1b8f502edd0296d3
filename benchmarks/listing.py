"""What a page of runs costs among two million: `python -m benchmarks.listing [--runs N] [--store sqlite|postgres]`.

Makes the runs set-wise in a fresh database of each store, then asks for pages of fifty by every filter, and by SQL what
people ask of the views: milliseconds that processors work for it, on both sides, and the best and the median of some
tries, as a client sees them. Says which of them read a whole table by their plan, and ends with 1 if one does.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, TypeVar

import perdure
from benchmarks.databases import serving
from benchmarks.plans import Plans, plans, questions
from benchmarks.program import Order
from benchmarks.statements import run_script

TRIES = 25
FIRST = 1_750_000_000.0
SECONDS = 2_592_000.0
Page = perdure.RunPage
T = TypeVar("T")
STORES = ("sqlite", "postgres")


def pages(runs: perdure.Runs, count: int) -> Iterator[tuple[str, Callable[[], Page]]]:
    """Each kind of page that is measured. The middle is where half of all runs are older."""
    middle = str(count // 2)
    a_day_from_the_middle = {
        "since": datetime.fromtimestamp(FIRST + SECONDS / 2, UTC),
        "until": datetime.fromtimestamp(FIRST + SECONDS / 2 + 86_400, UTC),
    }
    yield "all, the newest", lambda: runs.list()
    yield "all, from the middle", lambda: runs.list(cursor=middle)
    yield "one day, in the middle", lambda: runs.list(**a_day_from_the_middle)
    yield "one workflow", lambda: runs.list(workflow="app:work7")
    yield "one workflow, from the middle", lambda: runs.list(workflow="app:work7", cursor=middle)
    yield "failed", lambda: runs.list(status="failed")
    yield "failed, from the middle", lambda: runs.list(status="failed", cursor=middle)
    yield "failed, of one workflow", lambda: runs.list(status="failed", workflow="app:work3")
    yield "held", lambda: runs.list(status="held")
    yield "one attribute", lambda: runs.list(attributes={"customer": "c4711"})
    yield "one attribute and a status", lambda: runs.list(attributes={"customer": "c4711"}, status="succeeded")
    yield "children of one run", lambda: runs.list(parent="run-000000001")
    yield "ids that begin so", lambda: runs.list(id_prefix=f"run-{count // 2:09d}"[:9])
    yield "one queue", lambda: runs.list(queue="queue3")
    yield "succeeded", lambda: runs.list(status="succeeded")
    yield "ready", lambda: runs.list(status="ready")
    yield "ready, of one queue", lambda: runs.list(status="ready", queue="queue3")
    yield "what has not ended", lambda: runs.list(status=["ready", "held", "cancelling", "parked"])
    yield "parked: 250 looked at, none found", lambda: runs.list(status="parked")
    yield "two attributes", lambda: runs.list(attributes={"customer": "c4711", "region": "north"})
    yield "of no queue: 5,000 looked at, none found", lambda: runs.list(queue="")
    yield "a workflow, of no queue: 250 looked at", lambda: runs.list(workflow="app:work7", queue="")
    yield "failed, of no queue: 250 looked at", lambda: runs.list(status="failed", queue="")
    yield "ids, of no queue: 250 looked at", lambda: runs.list(id_prefix="run-", queue="")
    yield "text: 150 looked at, none found", lambda: runs.list(text="nowhere")
    yield "text, of one workflow: 150 looked at", lambda: runs.list(text="nowhere", workflow="app:work7")


class Cost(NamedTuple):
    """Milliseconds."""

    worked: float
    """Of processors, in the middle."""
    best: float
    median: float


def measure(planned: Plans, ask: Callable[[], T]) -> tuple[Cost, T]:
    """What it costs, and the answer."""
    answer = ask()
    times, worked = list[float](), list[float]()
    for _ in range(TRIES):
        had, began = planned.worked_seconds(), time.perf_counter()
        answer = ask()
        times.append(1_000 * (time.perf_counter() - began))
        worked.append(1_000 * (planned.worked_seconds() - had))
    return Cost(statistics.median(worked), min(times), statistics.median(times)), answer


def line(what: str, cost: Cost, found: int, whole: str) -> None:
    """One of the table. `whole`: the tables that it reads whole."""
    worked, best, median = cost
    print(f"| {what:<44} | {worked:6.2f} | {best:8.2f} | {median:9.2f} | {found:4} | {whole:<10} |", flush=True)


def report(store: str, url: str, count: int) -> bool:
    """Make the runs, and print a line for each kind of page, and for each question. Whether all had an index."""
    with perdure.Client(url) as client:
        client.runs.list()  # which makes the tables
    order = Order(url, "", count, False, "")
    began = time.perf_counter()
    run_script(order, "listing", count)
    print(f"\n{store}: {count:,} runs made in {time.perf_counter() - began:.0f} s\n")
    print(f"| {'page':<44} | CPU ms |  best ms | median ms | runs | scans      |")
    print(f"| {'-' * 44} | -----: | -------: | --------: | ---: | ---------- |", flush=True)
    scans = set[str]()
    with perdure.Client(url) as client, plans(order) as planned:
        client.runs.list()  # which opens its connection
        for what, ask in pages(client.runs, count):
            cost, page = measure(planned, ask)
            whole = planned.scanned_by(client, ask)
            scans |= whole
            line(what, cost, len(page), ", ".join(whole))
        cost, _ = measure(planned, lambda: client.runs.list(cursor=str(count // 2), limit=1_000))
        line("all, a thousand at once", cost, 1_000, "")
        for what, statement in questions():
            cost, rows = measure(planned, partial(planned.rows, statement))
            whole = planned.scanned(statement, {})
            scans |= whole
            line(what, cost, len(rows), ", ".join(whole))
    return not scans


def main() -> int:
    """Both stores, or one."""
    parser = argparse.ArgumentParser(description="What a page of runs costs.")
    parser.add_argument("--runs", type=int, default=2_000_000)
    parser.add_argument("--store", choices=STORES)
    given = parser.parse_args()
    has_indexes = True
    with serving() as databases:
        for store in STORES if given.store is None else (given.store,):
            with databases.fresh(store) as url:
                has_indexes &= report(store, url, given.runs)
    return 0 if has_indexes else 1


if __name__ == "__main__":
    sys.exit(main())
