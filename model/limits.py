"""Rule 14: a queue whose slots all workers share. Claims count them, waits give them back, ends of claims free them.

Each run makes others and waits for them, one after the other, in branches of its own: so one that asks for its slot may
find that another branch waits. A worker asks for what goes on, then for something new; it asks, the
database counts, the claim is committed, the answer is heard: anything may happen in between, but for what the claim has
locked. What a run's holder knows of it (`phase`) is lost with the holder; `slot` is the row's `has_slot`.
"""

from __future__ import annotations

from typing import NamedTuple

EXECUTES, WAITS, ASKS, GONE = "executes", "waits", "asks", "gone"


class Run(NamedTuple):
    """`nth`: for which of its children it waits, or has waited for so many. `giving`: how often it has given its slot
    back, and that is not committed.
    """

    state: str = "none"
    worker: int = 0
    claim: int = 0
    slot: bool | None = None
    phase: str = GONE
    nth: int = 0
    giving: int = 0


class Claim(NamedTuple):
    """Under way: `asked`, `counted` (its transaction is open) or `committed`. `asked`: runs and their claims, as the
    worker's memory knew them; `resumed` and `refused` of those; `picked`: what is new. `is_shared`: by the limits.
    `outdated`: runs that have given back what they had asked for, since then.
    """

    worker: int
    asked: tuple[tuple[int, int], ...]
    stage: str = "asked"
    resumed: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()
    picked: tuple[int, ...] = ()
    is_shared: bool = True
    outdated: frozenset[int] = frozenset()


class Worker(NamedTuple):
    """`knows`: as which change of the limits it has learnt that they hold for all (0: they do not). `is_quiet`: nothing
    has happened since there was no room.
    """

    number: int
    knows: int
    is_quiet: bool = False


class State(NamedTuple):
    """`limited`: the number of the change by which the limit holds, 0 while there is none. `late`: what fenced workers
    had handed in.
    """

    runs: tuple[Run, ...]
    workers: tuple[Worker, ...]
    faults: tuple[tuple[str, int], ...]
    limited: int
    changes: int = 1
    claims: tuple[Claim, ...] = ()
    late: tuple[tuple[int, int, int], ...] = ()
    numbers: int = 2

    def with_run(self, number: int, run: Run) -> State:
        return self._replace(runs=(*self.runs[:number], run, *self.runs[number + 1 :]))

    def with_worker(self, place: int, worker: Worker) -> State:
        return self._replace(workers=(*self.workers[:place], worker, *self.workers[place + 1 :]))

    def without(self, claim: Claim) -> State:
        return self._replace(claims=tuple(one for one in self.claims if one is not claim))

    def changed(self, claim: Claim, **more: object) -> State:
        return self._replace(claims=tuple(one._replace(**more) if one is claim else one for one in self.claims))

    def has(self, fault: str) -> bool:
        return any(name == fault and left for name, left in self.faults)

    def spend(self, fault: str) -> State:
        return self._replace(faults=tuple((name, left - (name == fault)) for name, left in self.faults))

    def knows(self, number: int) -> int:
        """What the worker of this number knows of the limits."""
        return next((worker.knows for worker in self.workers if worker.number == number), 0)

    def awake(self, number: int) -> State:
        """Something has happened at this worker."""
        awake = (one._replace(is_quiet=False) if one.number == number else one for one in self.workers)
        return self._replace(workers=tuple(awake))

    def quieted(self, number: int) -> State:
        """There was no room for what this worker asked for."""
        quiet = (one._replace(is_quiet=True) if one.number == number else one for one in self.workers)
        return self._replace(workers=tuple(quiet))

    def is_locked(self, number: int) -> bool:
        """Whether a claim has this run's row locked."""
        return any(
            claim.stage == "counted" and number in (*claim.resumed, *claim.refused, *claim.picked)
            for claim in self.claims
        )

    def count(self, *slots: bool) -> int:
        """How many runs that are held have such a slot."""
        return sum(run.state == "held" and run.slot in slots for run in self.runs)

    @property
    def executing(self) -> int:
        return sum(run.phase == EXECUTES for run in self.runs)


class Play(NamedTuple):
    """The guards, and the bounds. `programs`: for each run, which runs it makes and waits for."""

    guards: frozenset[str]
    programs: tuple[tuple[int, ...], ...]
    limit: int = 1
    one_writer: bool = False
    parks: bool = False
