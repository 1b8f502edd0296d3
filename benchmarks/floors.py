"""Where the time goes: what the parts cost by themselves. `make bench-floors` prints it.

*Python alone* is a step or a started run on a store that answers at once. *The store alone* is `apply` of entries made
beforehand: alone in their batch, and in batches of a hundred. Nothing here is compared with anybody.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import perdure
from benchmarks.databases import serving
from benchmarks.programs.perdure_sequential import asteps, steps
from benchmarks.programs.perdure_starts import aecho
from perdure._api.app import current_runtime
from perdure._engine.ids import fresh_id
from perdure._engine.journal.lanes import BATCH_ENTRIES
from perdure._entries import Accepted, Entry, RunCreated, RunFinished, StepRecorded, Stored, Verdict
from perdure.stores.open import open_store
from perdure.stores.protocol import ClaimRequest, WorkerRow
from perdure.stores.sqlite.pace import Committed

ROUNDS = 20
VALUE = Stored("json", "[1]")


def answer_at_once() -> None:
    """Nothing is written any more."""

    def apply(worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        return [Accepted(entry.state if isinstance(entry, RunFinished) else None) for entry in entries]

    store = current_runtime().store
    store.apply = apply  # type: ignore[method-assign]  # that is the measurement
    store.at_once = lambda waiting: BATCH_ENTRIES  # type: ignore[method-assign]
    store.begin = lambda worker_id, entries: Committed(apply(worker_id, entries))  # type: ignore[method-assign]


def least(times: int, work: Callable[[], object]) -> float:
    """The least microseconds of several runs."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best * 1e6


def python_alone(folder: Path) -> Iterator[tuple[str, float]]:
    with perdure.running(folder / "sync.db"):
        steps(10)
        answer_at_once()
        yield "a sync step", least(ROUNDS, lambda: steps(200)) / 200

    async def all_steps() -> None:
        await asyncio.gather(*(asteps(20) for _ in range(100)))

    async def all_starts() -> None:
        await asyncio.gather(*await asyncio.gather(*(perdure.astart(aecho, number) for number in range(100))))

    async def on_a_loop() -> list[tuple[str, float]]:
        async with perdure.running(folder / "async.db"):
            await asteps(10)
            await (await perdure.astart(aecho, 1))
            answer_at_once()
            found = []
            for name, work, units in (
                ("an async step, of 100 at once", all_steps, 2_000),
                ("a run started on a loop", all_starts, 100),
            ):
                best = float("inf")
                for _ in range(ROUNDS):
                    began = time.perf_counter()
                    await work()
                    best = min(best, time.perf_counter() - began)
                found.append((name, best * 1e6 / units))
            return found

    yield from asyncio.run(on_a_loop())


def store_alone(url: str, in_batch: int) -> Iterator[tuple[str, float]]:
    store: Any = open_store(url)
    store.migrate()
    worker = fresh_id()
    store.workers.join(WorkerRow(worker, "bench", 1), 3_600.0)
    runs = [[(fresh_id(), fresh_id()) for _ in range(in_batch)] for _ in range(ROUNDS)]

    def applied(make: Callable[[str, str], Entry]) -> float:
        batches = iter([[make(run, claim) for run, claim in batch] for batch in runs])
        return least(ROUNDS, lambda: store.apply(worker, next(batches))) / in_batch

    def creation(run: str, claim: str | None) -> RunCreated:
        return RunCreated(run, "workflow", "bench:work", "f" * 16, VALUE, fresh_id(), held_as=claim, queue="bench")

    yield "created, held here", applied(creation)
    for key in ("0", "1"):
        cost = applied(
            lambda run, claim, key=key: StepRecorded(
                run, claim, fresh_id(), key, "step", "bench:step", "f" * 16, False, VALUE, started_at=1.0
            )
        )
    yield "a step recorded", cost
    yield "ended", applied(lambda run, claim: RunFinished(run, claim, "succeeded", VALUE))
    runs = [[(fresh_id(), fresh_id()) for _ in range(in_batch)] for _ in range(ROUNDS)]
    yield "created, ready", applied(lambda run, claim: creation(run, None))
    request = ClaimRequest({"bench": in_batch}, ["bench:work"])
    claims = [fresh_id() for _ in range(in_batch)]
    yield "claimed", least(ROUNDS, lambda: store.claim(worker, request, claims)) / in_batch
    store.close()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, serving() as databases:
        for name, cost in python_alone(Path(folder)):
            print(f"Python alone: {name:40} {cost:8.1f} µs")
        for kind in ("postgres", "sqlite"):
            for in_batch in (1, 100):
                with databases.fresh(kind) as url:
                    for name, cost in store_alone(url, in_batch):
                        print(f"{kind}, {in_batch:3} in a batch: {name:32} {cost:8.1f} µs each")


if __name__ == "__main__":
    main()
