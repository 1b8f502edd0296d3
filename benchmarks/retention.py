"""What the removal of old runs costs: `python -m benchmarks.retention [--runs N] [--store sqlite|postgres]`.

Makes runs of twenty functions in a fresh database of each store, those of four functions with ten checkpoints each, and
removes those of two, so many at most, portion by portion as a worker does: how long a portion takes, which is what
others wait for, and how many runs go in a second. Then the same with an archive, and what a look costs where nothing is
to be removed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time

from benchmarks.databases import serving
from benchmarks.program import Order
from benchmarks.statements import run_script
from perdure._engine.duties.archive import Archive
from perdure._engine.ids import fresh_id
from perdure.stores.open import open_store
from perdure.stores.protocol import Expiry, Store, WorkerRow

STORES = ("sqlite", "postgres")
REMOVED = 20_000
ARCHIVED = 2_000


def portions(
    store: Store, worker_id: str, expiry: Expiry, most: int, archive: Archive | None
) -> tuple[list[float], int]:
    """How many milliseconds each took, and how many runs were removed; so many at most."""
    times: list[float] = []
    removed = 0
    while removed < most:
        began = time.perf_counter()
        done = store.keeper.remove(worker_id, expiry, None if archive is None else archive.write)
        times.append(1_000 * (time.perf_counter() - began))
        removed += done.runs
        if done.after is None:
            break
        expiry = expiry._replace(after=done.after)
    return times, removed


def said(what: str, times: list[float], removed: int) -> None:
    """A line."""
    spent = sum(times) / 1_000
    print(
        f"  {what}: {removed:,} runs in {spent:.1f} s, {removed / max(spent, 1e-9):,.0f} a second; a portion "
        f"{statistics.median(times):.1f} ms in the middle, {max(times):.1f} at most ({len(times)})",
        flush=True,
    )


def report(kind: str, url: str, count: int) -> None:
    """Make the runs, and print the lines of one store."""
    store, worker_id = open_store(url), fresh_id()
    store.migrate()
    store.workers.join(WorkerRow(worker_id, "host", 1), 3600.0)
    order = Order(url, "", count, False, "")
    run_script(order, "listing", count)
    run_script(order, "retention", count)
    print(f"{kind}: {count:,} runs", flush=True)
    times, removed = [], 0
    for number in (0, 1):
        of_one, gone = portions(store, worker_id, Expiry(f"app:work{number}", keep_seconds=60.0), REMOVED // 2, None)
        times += of_one
        removed += gone
    said("removed", times, removed)
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(folder, worker_id)
        said("archived", *portions(store, worker_id, Expiry("app:work2", keep_seconds=60.0), ARCHIVED, archive))
    looks = [portions(store, worker_id, Expiry("app:work5", keep_seconds=1e10), 1, None)[0][0] for _ in range(25)]
    began = time.perf_counter()
    store.keeper.newest_kept("app:work5", 1_000)
    newest = 1_000 * (time.perf_counter() - began)
    print(
        f"  a look that finds nothing {statistics.median(looks):.2f} ms; the newest thousand {newest:.2f} ms",
        flush=True,
    )
    store.close()


def main() -> None:
    """The stores."""
    parser = argparse.ArgumentParser(description="What the removal of old runs costs.")
    parser.add_argument("--runs", type=int, default=2_000_000)
    parser.add_argument("--store", choices=STORES)
    given = parser.parse_args()
    with serving() as databases:
        for kind in STORES:
            if given.store in (None, kind):
                with databases.fresh(kind) as url:
                    report(kind, url, given.runs)


if __name__ == "__main__":
    main()
