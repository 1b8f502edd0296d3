"""The words of the core model: workers, runs, what a process holds and what it hands in.

Processes hold runs, execute their steps and hand in entries; a batch of entries is applied in one transaction, whose
beginning and commit are two moves, so that anything may happen between them. A process may be slow at any point; a
crash frees its session, a freeze (stopped for ever) does not. A step's outcome is the number of the claim that ran its
body: that is how two outcomes of one step are told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

TERMINAL = ("succeeded", "cancelled", "dead")
DONE = (*TERMINAL, "to mend")
NO_CHECKPOINT = -1
"""In the place of a sleep, among a run's steps."""


class Run(NamedTuple):
    """A row of `runs`, with its checkpoints (`steps`, 0: not recorded) and its cancel."""

    state: str = "ready"
    worker: int = 0
    claim: int = 0
    attempts: int = 0
    mark: int = 0
    steps: tuple[int, ...] = ()
    slept: bool = False
    cancel: bool = False
    ended_by: int = 0

    @property
    def recorded(self) -> int:
        return sum(1 for step in self.steps if step > 0)


class Thread(NamedTuple):
    """Something in a process that executes a run. `body`: inside a body; `waits`: for the journal; `next`: between."""

    run: int
    worker: int
    claim: int
    step: int
    seen: tuple[int, ...]
    phase: str = "next"
    is_live: bool = True


class Entry(NamedTuple):
    """Handed in under a claim: `step`, `finish`, `park`, `release`, or `mend`, which parks a run of which an entry was
    refused. `value` is what the run has seen so far.
    """

    kind: str
    run: int
    claim: int
    step: int = 0
    value: tuple[int, ...] = ()


class Batch(NamedTuple):
    """A transaction that is applied and not yet committed. `effects` are the entries that will be written; `failing` is
    one that the database cannot keep.
    """

    worker: int
    entries: tuple[Entry, ...]
    effects: tuple[tuple[Entry, str], ...]
    refused: tuple[Entry, ...]
    failing: Entry | None = None


class Process(NamedTuple):
    """A worker's program. `is_unknown`: a reply was lost, so it will reconcile."""

    worker: int
    threads: tuple[Thread, ...] = ()
    outbox: tuple[Entry, ...] = ()
    batch: Batch | None = None
    is_frozen: bool = False
    is_unknown: bool = False


class Row(NamedTuple):
    """A row of `workers`."""

    worker: int
    has_lease: bool = True
    timeline: int = 0


class Count(NamedTuple):
    """What the checker knows of a run and no program does: claims drawn, bodies started, checkpoints lost for good."""

    claims: int = 0
    bodies: int = 0
    lost: int = 0
    deaths: int = 0


class State(NamedTuple):
    """Everything."""

    processes: tuple[Process | None, ...]
    rows: tuple[Row, ...]
    runs: tuple[Run, ...]
    counts: tuple[Count, ...]
    faults: tuple[tuple[str, int], ...]
    workers: int
    timeline: int = 0
    replica: tuple[tuple[Row, ...], tuple[Run, ...]] | None = None
    taking: tuple[int, tuple[int, ...]] | None = None

    def row(self, worker: int) -> Row | None:
        return next((row for row in self.rows if row.worker == worker), None)

    def has(self, fault: str) -> bool:
        return any(name == fault and left for name, left in self.faults)

    def spend(self, fault: str) -> State:
        return self._replace(faults=tuple((name, left - (name == fault)) for name, left in self.faults))

    def with_run(self, number: int, run: Run) -> State:
        return self._replace(runs=(*self.runs[:number], run, *self.runs[number + 1 :]))

    def with_count(self, number: int, **more: int) -> State:
        count = self.counts[number]
        count = count._replace(**{name: getattr(count, name) + by for name, by in more.items()})
        return self._replace(counts=(*self.counts[:number], count, *self.counts[number + 1 :]))

    def with_process(self, place: int, process: Process | None) -> State:
        """Processes are alike: kept in order, so that exchanging two gives no new state."""
        processes = [*self.processes[:place], process, *self.processes[place + 1 :]]
        return self._replace(processes=tuple(sorted(processes, key=_order)))

    def batches(self) -> Iterator[tuple[Process, Batch]]:
        for process in self.processes:
            if process is not None and process.batch is not None:
                yield process, process.batch


def _order(process: Process | None) -> tuple[int, int]:
    return (1, 0) if process is None else (0, process.worker)


@dataclass(frozen=True)
class World:
    """The guards that are there, and the bounds. `programs`: per run, `x` a step, `z` a sleep that parks."""

    guards: frozenset[str]
    programs: tuple[str, ...] = ("xx",)
    processes: int = 2
    max_attempts: int = 3
    faults: dict[str, int] = field(default_factory=dict)
    one_writer: bool = False
    """SQLite: while a write transaction is open nobody else writes."""

    def first(self) -> State:
        count = self.processes
        return State(
            tuple(Process(worker) for worker in range(1, count + 1)),
            tuple(Row(worker) for worker in range(1, count + 1)),
            tuple(Run(steps=tuple(NO_CHECKPOINT * (what == "z") for what in program)) for program in self.programs),
            (Count(),) * len(self.programs),
            tuple(sorted(self.faults.items())),
            count,
        )

    def joins(self, run: Run, worker: int, claim: int) -> bool:
        """Rule 2: whether a write under this claim finds its run."""
        return (
            ("state_join" not in self.guards or run.state == "held")
            and ("claim_join" not in self.guards or run.claim == claim)
            and ("worker_join" not in self.guards or run.worker == worker)
        )

    def may_write(self, state: State, worker: int) -> bool:
        """Rule 1: whether the worker's row is there, of this history of the server."""
        row = state.row(worker)
        return row is not None and ("timeline" not in self.guards or row.timeline == state.timeline)

    def put_back(self, run: Run, *, is_charged: bool) -> Run:
        """A run whose holder is gone (charged), or that is handed back (not)."""
        run = self.cleared(run)
        if is_charged and run.cancel:
            return run._replace(state="cancelled")
        is_last = run.attempts >= self.max_attempts and run.recorded <= run.mark
        if is_charged and is_last and "attempt_limit" in self.guards:
            return run._replace(state="dead")
        return run._replace(state="ready", attempts=run.attempts if is_charged else self.refund(run))

    def cleared(self, run: Run) -> Run:
        """Rule 2: every end of a claim forgets claim and worker."""
        return run._replace(worker=0, claim=0) if "clears_claim" in self.guards else run

    def refund(self, run: Run) -> int:
        return max(run.attempts - 1, 0) if "refund" in self.guards else run.attempts

    def is_locked(self, state: State, worker: int) -> bool:
        """Whether a batch holds this worker's row, or (SQLite) the file."""
        if "lock" not in self.guards:
            return False
        return any(self.one_writer or batch.worker == worker for _, batch in state.batches())

    def is_run_locked(self, state: State, number: int) -> bool:
        """Whether a batch that ends this run's claim is open: then a cancel waits for its commit."""
        if "cancel_locks" not in self.guards:
            return False
        for _, batch in state.batches():
            if self.one_writer or any(entry.run == number and entry.kind != "step" for entry, _ in batch.effects):
                return True
        return False
