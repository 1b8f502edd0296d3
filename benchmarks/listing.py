"""What a page of runs costs among two million: `python -m benchmarks.listing [--runs N] [--store sqlite|postgres]`.

Makes the runs set-wise in a fresh database of each store, then asks for pages of fifty by every filter: the best and
the median of some tries, in milliseconds, as a client sees them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import perdure
from benchmarks.databases import serving
from benchmarks.program import Order
from benchmarks.statements import run_script

TRIES = 25
FIRST = 1_750_000_000.0
SECONDS = 2_592_000.0
Page = perdure.RunPage
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
    yield "ready: 50,000 looked at, few found", lambda: runs.list(status="ready")
    yield "of no queue: 50,000 looked at, none found", lambda: runs.list(queue="")
    yield "failed, of no queue: 5,000 looked at", lambda: runs.list(status="failed", queue="")
    yield "text: 5,000 looked at, none found", lambda: runs.list(text="nowhere")


def measure(ask: Callable[[], Page]) -> tuple[float, float, Page]:
    """The best and the median time in milliseconds, and the page."""
    page = ask()
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        page = ask()
        times.append(1_000 * (time.perf_counter() - began))
    return min(times), statistics.median(times), page


def report(store: str, url: str, count: int) -> None:
    """Make the runs, and print a line for each kind of page."""
    with perdure.Client(url) as client:
        client.runs.list()  # which makes the tables
    began = time.perf_counter()
    run_script(Order(url, "", count, False, ""), "listing", count)
    print(f"\n{store}: {count:,} runs made in {time.perf_counter() - began:.0f} s\n")
    print(f"| {'page':<42} |  best ms | median ms | runs |\n| {'-' * 42} | -------: | --------: | ---: |")
    with perdure.Client(url) as client:
        for what, ask in pages(client.runs, count):
            best, median, page = measure(ask)
            print(f"| {what:<42} | {best:8.2f} | {median:9.2f} | {len(page):4} |", flush=True)
        best, median, _ = measure(lambda: client.runs.list(cursor=str(count // 2), limit=1_000))
        print(f"| {'all, a thousand at once':<42} | {best:8.2f} | {median:9.2f} | 1000 |")


def main() -> None:
    """Both stores, or one."""
    parser = argparse.ArgumentParser(description="What a page of runs costs.")
    parser.add_argument("--runs", type=int, default=2_000_000)
    parser.add_argument("--store", choices=STORES)
    given = parser.parse_args()
    with serving() as databases:
        for store in STORES if given.store is None else (given.store,):
            with databases.fresh(store) as url:
                report(store, url, given.runs)


if __name__ == "__main__":
    main()
