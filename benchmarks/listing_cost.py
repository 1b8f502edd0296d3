"""What the indexes for people cost those who write: `python -m benchmarks.listing_cost [--runs N]`.

The same batches of runs, created and then finished, on each store with these indexes and without, in turn: microseconds
for a run, and on Postgres the bytes of write-ahead log. `--index NAME` measures one of them: with all, and without it.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import count

import psycopg

from benchmarks.databases import serving
from perdure._engine.ids import fresh_id
from perdure._entries import RunCreated, RunFinished, Stored
from perdure.stores.open import open_store
from perdure.stores.protocol import Store, WorkerRow

NAMES = ("runs_in_order", "runs_named", "runs_trouble", "runs_unfinished", "runs_finished", "runs_made_by")
TOGETHER = 200
TURNS = 9
_numbers = count()


def execute(url: str, *statements: str) -> object:
    """Run them; the first column of the last one's row."""
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as postgres:
            for statement in statements:
                cursor = postgres.execute(statement)  # type: ignore[call-overload]  # our own texts
            row = cursor.fetchone() if cursor.description is not None else None
            return row[0] if row else None
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as sqlite:
        for statement in statements:
            sqlite.execute(statement)
    return None


def logged(url: str) -> float:
    """How many bytes Postgres has logged so far."""
    if not url.startswith("postgresql"):
        return 0.0
    return float(str(execute(url, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8")))


def definitions(url: str, names: Sequence[str]) -> list[str]:
    """How these indexes are made."""
    if url.startswith("postgresql"):
        with psycopg.connect(url) as postgres:
            found = postgres.execute("SELECT indexdef FROM pg_indexes WHERE indexname = ANY (%s)", [list(names)])
            return [definition for (definition,) in found]
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as sqlite:
        marks = ", ".join("?" * len(names))
        found = sqlite.execute(f"SELECT sql FROM sqlite_master WHERE name IN ({marks})", names)  # noqa: S608  # marks
        return [definition for (definition,) in found]


def work(store: Store, worker_id: str, runs: int) -> float:
    """Microseconds for a run: its creation in one transaction, its end in another."""
    began = time.perf_counter()
    for _ in range(runs // TOGETHER):
        created = [
            RunCreated(
                fresh_id(), "workflow", "app:work", "f", Stored("json", "[1]"), f"e{next(_numbers)}", held_as=fresh_id()
            )
            for _ in range(TOGETHER)
        ]
        store.apply(worker_id, created)
        ends = [RunFinished(run.run_id, run.held_as or "", "succeeded", Stored("json", "1")) for run in created]
        store.apply(worker_id, ends)
    return 1e6 * (time.perf_counter() - began) / runs


def report(kind: str, url: str, runs: int, names: Sequence[str]) -> None:
    """Both ways in turn, and their medians."""
    store, worker_id = open_store(url), fresh_id()
    store.migrate()
    store.workers.join(WorkerRow(worker_id, "host", 1), 3600.0)
    makes = definitions(url, names)
    schema = "perdure." if kind == "postgres" else ""
    times: dict[bool, list[float]] = {True: [], False: []}
    volume: dict[bool, list[float]] = {True: [], False: []}
    work(store, worker_id, runs)
    for turn in range(2 * TURNS):
        is_with = turn % 2 == 0
        drops = [f"DROP INDEX {schema}{name}" for name in names if name in str(makes)]
        if turn:
            execute(url, *(makes if is_with else drops))
            work(store, worker_id, runs)  # a page's first change after a checkpoint logs the page: not what is measured
        before = logged(url)
        times[is_with].append(work(store, worker_id, runs))
        volume[is_with].append((logged(url) - before) / runs)
    with_them, without = statistics.median(times[True]), statistics.median(times[False])
    print(f"{kind}: {with_them:.1f} µs a run with the indexes, {without:.1f} without", flush=True)
    if schema:
        more, less = statistics.median(volume[True]), statistics.median(volume[False])
        print(f"{kind}: {more:.0f} bytes of log a run with the indexes, {less:.0f} without", flush=True)
    store.close()


def main() -> None:
    """Both stores."""
    parser = argparse.ArgumentParser(description="What the indexes for people cost.")
    parser.add_argument("--runs", type=int, default=4_000)
    parser.add_argument("--index", choices=NAMES)
    given = parser.parse_args()
    with serving() as databases:
        for kind in ("sqlite", "postgres"):
            with databases.fresh(kind) as url:
                report(kind, url, given.runs, NAMES if given.index is None else (given.index,))


if __name__ == "__main__":
    main()
