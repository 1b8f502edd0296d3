"""A worker of the store alone, and what its claims and pulses cost: for what they have nothing to do with.

The processor's time is the server's (of the sessions of this database; on SQLite of the thread), since that holds still
on a busy machine; the wall's is told beside it. The least of the rounds counts.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from perdure._engine.claiming.floors import FloorKeeper
from perdure._engine.ids import fresh_id
from perdure._entries import RunCreated, RunFinished, Stored
from perdure.stores.open import open_store
from perdure.stores.protocol import ClaimRequest, Floor, NothingDone, WorkerRow

IN_BATCH = 8
REPEATS, ROUNDS = 60, 5
SETTLING = 100
VALUE = Stored("json", "[1]")
NAMES = [f"bench:work{number}" for number in range(20)]


class Bench:
    """One database, and its worker."""

    def __init__(self, url: str, *, is_tiny: bool = False) -> None:
        self.url = url
        self._repeats, self._rounds, self._settling = (2, 2, 2) if is_tiny else (REPEATS, ROUNDS, SETTLING)
        self.is_postgres = url.startswith("postgresql")
        self.store: Any = open_store(url)
        self.store.migrate()
        self.worker = fresh_id()
        self.store.workers.join(WorkerRow(self.worker, "bench", 1), 3_600.0)
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

    def close(self) -> None:
        """Leave."""
        self.store.workers.leave(self.worker)
        self.store.close()

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
        try:
            claimed = self.store.claim(self.worker, request, [fresh_id() for _ in range(count)])
        except NothingDone:  # it has looked for longer than it may
            self.floor.look_in_vain(asked_at, time.monotonic())
            return self.claim(count)
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
        try:
            self.store.pulse(self.worker, ["bench"], NAMES, {} if floor is None else {"bench": floor})
        except NothingDone:
            self.floor.look_in_vain(asked_at, time.monotonic())
        else:
            self.floor.look_back(asked_at, time.monotonic())

    def cost(self, work: Callable[[], object], prepare: Callable[[], object] = lambda: None) -> tuple[float, float]:
        """Milliseconds of the processor and of the wall for each repetition, the least of the rounds."""
        found = []
        for _ in range(self._rounds):
            used = took = 0.0
            for _ in range(self._repeats):
                prepare()
                began, processor = time.perf_counter(), self.processor_seconds()
                work()
                used += self.processor_seconds() - processor
                took += time.perf_counter() - began
            found.append((used, took))
        used, took = (min(column) * 1e3 / self._repeats for column in zip(*found, strict=True))
        return used, took

    def costs(self) -> dict[str, tuple[float, float]]:
        """Of a claim and of a pulse, by its name. What was filled just now is written and settled first."""
        for _ in range(self._settling):
            self.cycle(IN_BATCH)
        claimed: list[Any] = []

        def claim() -> None:
            claimed[:] = self.claim(IN_BATCH)

        def prepare() -> None:
            self.end(claimed)
            self.create(IN_BATCH)

        found = {"claims": self.cost(claim, prepare)}
        self.end(claimed)
        return found | {"polls": self.cost(self.pulse)}

    def head_cost(self) -> float:
        """Milliseconds of the processor for a pulse that begins at the head of the queue."""
        began = self.processor_seconds()
        with suppress(NothingDone):
            self.store.pulse(self.worker, ["bench"], NAMES)
        return (self.processor_seconds() - began) * 1e3


Costs = dict[str, tuple[float, float]]


def compared(empty: Costs, full: Costs) -> dict[str, float]:
    """How many times the empty case each is, by the processor's time; the milliseconds of processor and wall."""
    growths = {f"growth_{name}": full[name][0] / empty[name][0] for name in empty}
    figures = {"growth": max(growths.values()), **growths}
    for name, (used, took) in full.items():
        figures |= {f"{name}_cpu_ms": used, f"{name}_ms": took, f"{name}_empty_cpu_ms": empty[name][0]}
    return figures


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
