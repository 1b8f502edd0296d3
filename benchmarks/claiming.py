"""What a claim and a pulse cost beside what they have nothing to do with. `python -m benchmarks.claiming` prints it.

Each against the empty case: a million ready runs of functions that this worker does not know, half of them in its own
queue and before all others; and runs that pass through the queue while somebody has an old snapshot open. The
processor's time is the server's (of the sessions of this database; on SQLite of the thread), since that holds still on
a busy machine; the wall's is printed beside it. The least of the rounds counts.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.databases import serving
from benchmarks.program import Order
from benchmarks.statements import run_script
from perdure._engine.claiming.floors import FloorKeeper
from perdure._engine.ids import fresh_id
from perdure._entries import RunCreated, RunFinished, Stored
from perdure.stores.open import open_store
from perdure.stores.protocol import ClaimRequest, Floor, WorkerRow

IN_BATCH = 8
REPEATS = 60
SETTLING = 100
MOST = 1.2
"""How many times the empty case the processor's time may be."""
VALUE = Stored("json", "[1]")
NAMES = [f"bench:work{number}" for number in range(20)]


class Bench:
    """One database, and its worker."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_postgres = url.startswith("postgresql")
        self.store: Any = open_store(url)
        self.store.migrate()
        self.worker = fresh_id()
        self.store.join(WorkerRow(self.worker, "bench", 1), 3_600.0)
        self.floor = FloorKeeper()
        self.pids: list[int] = []
        self.cycle(IN_BATCH)
        self.store.pulse(self.worker, ["bench"], NAMES)
        if self.is_postgres:
            with psycopg.connect(url) as connection:
                rows = connection.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                self.pids = [int(pid) for (pid,) in rows]

    def processor_seconds(self) -> float:
        """What the server's sessions, or this thread, have had so far."""
        if not self.is_postgres:
            return time.thread_time()
        return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in self.pids) / 1e9

    def create(self, count: int) -> None:
        """So many ready runs."""
        runs = (
            RunCreated(fresh_id(), "step", NAMES[n % len(NAMES)], "f" * 16, VALUE, fresh_id(), queue="bench")
            for n in range(count)
        )
        self.store.apply(self.worker, list(runs))

    def cycle(self, count: int) -> None:
        """So many are made, claimed and ended."""
        self.create(count)
        self.end(self.claim(count))

    def claim(self, count: int) -> Any:
        """Claim so many, as the dispatcher does."""
        asked_at = time.monotonic()
        floors: dict[str, Floor] = {}
        if (floor := self.floor.ask(asked_at)) is not None:
            floors["bench"] = floor
        request = ClaimRequest({"bench": count}, NAMES, floors=floors)
        claimed = self.store.claim(self.worker, request, [fresh_id() for _ in range(count)])
        self.floor.learn(claimed.floors.get("bench"), asked_at, time.monotonic())
        if not claimed.runs:
            self.floor.forget()
            raise RuntimeError("nothing was claimed")
        return claimed.runs

    def end(self, runs: Any) -> None:
        """They have succeeded."""
        self.store.apply(self.worker, [RunFinished(run.run_id, run.claim, "succeeded", VALUE) for run in runs])

    def pulse(self) -> None:
        """As the poller does."""
        asked_at = time.monotonic()
        floor = self.floor.at(asked_at)
        self.store.pulse(self.worker, ["bench"], NAMES, {} if floor is None else {"bench": floor})
        self.floor.look_back(asked_at, time.monotonic())

    def cost(self, work: Callable[[], object], rounds: int, prepare: Callable[[], object]) -> tuple[float, float]:
        """Milliseconds of the processor and of the wall for each repetition, the least of the rounds."""
        found = []
        for _ in range(rounds):
            used = took = 0.0
            for _ in range(REPEATS):
                prepare()
                began, processor = time.perf_counter(), self.processor_seconds()
                work()
                used += self.processor_seconds() - processor
                took += time.perf_counter() - began
            found.append((used, took))
        return min(used for used, _ in found) * 1e3 / REPEATS, min(took for _, took in found) * 1e3 / REPEATS


@contextmanager
def snapshot(bench: Bench) -> Iterator[None]:
    """Somebody reads, and goes on reading what there was."""
    if bench.is_postgres:
        with psycopg.connect(bench.url) as reader:
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            reader.execute("SELECT count(*) FROM perdure.runs")
            yield
            reader.rollback()
        return
    with closing(sqlite3.connect(bench.url.removeprefix("sqlite:///"), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM runs").fetchall()
        yield
        reader.execute("ROLLBACK")


def measures(bench: Bench, rounds: int) -> dict[str, tuple[float, float]]:
    """What is measured, by its name. What was filled just now is written and settled first."""
    for _ in range(SETTLING):
        bench.cycle(IN_BATCH)
    claimed: list[Any] = []

    def claim() -> None:
        claimed[:] = bench.claim(IN_BATCH)

    def prepare() -> None:
        bench.end(claimed)
        bench.create(IN_BATCH)

    found = {f"a claim of {IN_BATCH}": bench.cost(claim, rounds, prepare)}
    bench.end(claimed)
    return found | {"a pulse": bench.cost(bench.pulse, rounds, lambda: None)}


def beside_unknown(bench: Bench, count: int, rounds: int) -> Iterator[tuple[str, tuple[float, float], Any]]:
    """Against the empty case: runs of unknown functions."""
    empty = measures(bench, rounds)
    run_script(Order(bench.url, "", count, False, ""), "unknown", count)
    for name, cost in measures(bench, rounds).items():
        yield f"{name}, beside {count:,} ready runs of unknown functions", empty[name], cost


def beside_snapshot(bench: Bench, count: int, rounds: int) -> Iterator[tuple[str, tuple[float, float], Any]]:
    """Against the empty case: after so many runs have passed since a snapshot was taken, and after twice as many."""
    empty = measures(bench, rounds)
    with snapshot(bench):
        for passed in (count, 2 * count):
            for _ in range(count // 200):
                bench.cycle(200)
            for name, cost in measures(bench, rounds).items():
                yield f"{name}, a snapshot open while {passed:,} runs passed", empty[name], cost


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--unknown", type=int, default=1_000_000)
    parser.add_argument("--passed", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stores", nargs="+", default=["sqlite", "postgres"])
    given = parser.parse_args()
    print("| store | what | empty, CPU | CPU | ratio | empty, wall | wall |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    missed = False
    with tempfile.TemporaryDirectory(prefix="bench-"), serving() as databases:
        for kind in given.stores:
            for shape, count in ((beside_unknown, given.unknown), (beside_snapshot, given.passed)):
                with databases.fresh(kind) as url:
                    bench = Bench(url)
                    for what, (before, wall_before), (after, wall) in shape(bench, count, given.rounds):
                        missed = missed or after > MOST * before
                        cells = (f"{before:.3f} ms", f"{after:.3f} ms", f"{after / before:.2f} ×")
                        print("|", kind, "|", what, "|", " | ".join(cells), f"| {wall_before:.2f} ms | {wall:.2f} ms |")
                    bench.store.close()
    raise SystemExit(f"something costs more than {MOST} times the empty case" if missed else 0)


if __name__ == "__main__":
    main()
