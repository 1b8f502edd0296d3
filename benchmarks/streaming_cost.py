"""What a stream of small chunks costs: `python -m benchmarks.streaming_cost [--chunks N]`.

One step writes them as fast as it can, on each store, as they are written and with a row for each, in turn: the rows,
the bytes of write-ahead log, and the CPU time that the database takes for them (of Postgres' sessions; of the thread
that commits to SQLite), the least of some turns. For Postgres on this machine, on Linux.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import psycopg

import perdure
from benchmarks.databases import serving
from benchmarks.listing_cost import execute, logged
from perdure import Perdure, step, stream, workflow
from perdure._engine.journal.chunks import PendingChunks

TURNS = 5
WORD = "token "


@step
def writes(chunks: int) -> int:
    """So many chunks."""
    out = stream("tokens")
    for _ in range(chunks):
        out.write(WORD)
    return chunks


@workflow
def streams(chunks: int) -> int:
    """By a step."""
    return writes(chunks)


def asked(url: str, question: str) -> int:
    """The answer, a number."""
    if url.startswith("postgresql"):
        return int(str(execute(url, question)))
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as sqlite:
        [(number,)] = sqlite.execute(question)
        return int(number)


class Cost(NamedTuple):
    """Of one run."""

    rows: int
    log_bytes: float
    milliseconds: float
    seconds: float


@contextmanager
def timed(app: Perdure, spent: list[float]) -> Iterator[None]:
    """Collect the time of each batch."""
    store = app._launched().store
    apply: Callable[..., Any] = store.apply

    def measured(*args: Any) -> Any:
        began = time.thread_time()
        try:
            return apply(*args)
        finally:
            spent.append(time.thread_time() - began)

    with patch.object(store, "apply", measured):
        yield


def of_sessions(url: str) -> Counter[int]:
    """Nanoseconds of CPU that each session of this database has taken, where it is Postgres on this machine."""
    taken: Counter[int] = Counter()
    if url.startswith("postgresql"):
        with psycopg.connect(url) as postgres:
            sessions = postgres.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            ).fetchall()
        for (pid,) in sessions:
            with suppress(OSError):
                taken[pid] = int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0])
    return taken


def measure(app: Perdure, url: str, chunks: int) -> Cost:
    """One run, and what it took."""
    spent: list[float] = []
    is_served = url.startswith("postgresql")
    before, at_work, began = logged(url), of_sessions(url), time.perf_counter()
    with timed(app, spent):
        handle = perdure.start(streams, chunks)
        handle.result()
    seconds = time.perf_counter() - began
    taken = (of_sessions(url) - at_work).total() / 1e9 if is_served else sum(spent)
    log_bytes = logged(url) - before
    assert sum(1 for _ in handle.stream("tokens")) == chunks
    table = "perdure.streams" if is_served else "streams"
    rows = asked(url, f"SELECT count(*) FROM {table} WHERE run_id = '{handle.run_id}'")  # noqa: S608  # our own id
    return Cost(rows, log_bytes, 1_000 * taken, seconds)


def report(kind: str, url: str, chunks: int) -> None:
    """Both ways in turn."""
    costs: dict[bool, list[Cost]] = {True: [], False: []}
    with perdure.running(url) as app:
        streams(10)
        for turn in range(2 * TURNS):
            is_shared = turn % 2 == 0
            with patch.object(
                PendingChunks, "absorb", PendingChunks.absorb if is_shared else lambda self, other: False
            ):
                costs[is_shared].append(measure(app, url, chunks))
    for is_shared, name in ((True, "as they are"), (False, "a row each")):
        best = min(costs[is_shared], key=lambda cost: cost.milliseconds)
        print(
            f"| {kind:<8} | {name:<11} | {best.rows:6,} | {best.log_bytes:10,.0f} | {best.milliseconds:15.1f} | "
            f"{1e6 * best.seconds / chunks:10.1f} |",
            flush=True,
        )
    shared, alone = (min(cost.milliseconds for cost in costs[way]) for way in (True, False))
    print(
        f"| {kind:<8} | of that     |        |            | {100 * shared / alone:13.1f} % |            |", flush=True
    )


def main() -> None:
    """Both stores."""
    parser = argparse.ArgumentParser(description="What a stream of small chunks costs.")
    parser.add_argument("--chunks", type=int, default=10_000)
    given = parser.parse_args()
    print(f"{given.chunks:,} chunks\n")
    print("| store    | chunks      |   rows |  log bytes | database CPU ms | µs a chunk |")
    print("| -------- | ----------- | -----: | ---------: | --------------: | ---------: |")
    with serving() as databases:
        for kind in ("sqlite", "postgres"):
            with databases.fresh(kind) as url:
                report(kind, url, given.chunks)


if __name__ == "__main__":
    main()
