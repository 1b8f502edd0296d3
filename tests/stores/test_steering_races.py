"""Steering raced against runs that execute: what is acknowledged holds, and nothing of a former life is left.

Two workers take runs, record steps, park what is paused and end the rest, well or not. Meanwhile each run is steered by
somebody who knows what has been acknowledged, and so how the run must stand in the end.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from perdure._core.serialization import Serializer, TypeRegistry
from perdure._engine.steering import Steers
from perdure._entries import Accepted, Stored
from perdure._steering import By
from perdure.errors import SteeringError
from perdure.stores.finding import Wanted
from perdure.stores.protocol import ClaimedRun, Store
from perdure.typing import TERMINAL
from tests.stores.entries import W1, W2, OpenAnother, claim, created, finished, join, parked, recorded

ME = By("somebody")
STEPS = 3
SERIALIZER = Serializer(TypeRegistry())
OPERATIONS = ("pause", "resume", "cancel", "retry", "restart", "fork", "delete", "bulk")


class Nobody:
    """Tells nobody: the workers here look all the time."""

    def paused(self, run_ids: Sequence[str]) -> None:
        pass

    def ready(self, run_ids: Sequence[str]) -> None:
        pass

    def elsewhere(self, run_ids: Iterable[str]) -> None:
        pass

    def deleted(self, run_ids: Sequence[str]) -> None:
        pass


@dataclass
class Known:
    """What has been acknowledged of a run."""

    lives: int = 0
    is_cancelled: bool = False
    is_deleted: bool = False
    forks: list[str] = field(default_factory=list)


class Storm:
    """Everything that is known of one test's runs."""

    def __init__(self, open_another: OpenAnother, seed: int) -> None:
        self.open_another = open_another
        self.seed = seed
        self.known: dict[str, Known] = {}
        self.resting: set[str] = set()
        """What was seen paused, and has not been resumed."""
        self.acknowledged: Counter[str] = Counter()
        self.is_over = threading.Event()

    def work(self, worker_id: str) -> None:
        """Take what is ready, until all is over."""
        with closing(self.open_another()) as store:
            self.work_on(store, worker_id)

    def work_on(self, store: Store, worker_id: str) -> None:
        """The same, on a store of its own."""
        chance = random.Random(f"{self.seed} {worker_id}")  # noqa: S311
        while not self.is_over.is_set():
            mail = store.hear(worker_id, ())
            mail = store.hear(worker_id, [told.seq for told in mail.told])
            if mail.has_cancelled:
                store.cancels.sweep()
            for run in claim(store, worker_id, chance.randrange(1, 4)):
                assert run.run_id not in self.resting, f"{run.run_id} was paused"
                self.execute(store, worker_id, run, chance)

    def execute(self, store: Store, worker_id: str, run: ClaimedRun, chance: random.Random) -> None:
        """Record what is left of the steps, and end it; or park it, where it was paused."""
        [history] = store.runs.histories([run.run_id])
        for number in range(len(history.checkpoints), STEPS):
            outcome = Stored("json", f'"of life {run.incarnation}"')
            entry = recorded(run.run_id, run.claim, str(number), entry_id=f"{run.claim}:{number}", outcome=outcome)
            if not isinstance(store.apply(worker_id, [entry])[0], Accepted):
                return
            for told in store.hear(worker_id, ()).told:
                if told.run_id == run.run_id and told.is_paused:
                    store.apply(worker_id, [parked(run.run_id, run.claim, stopped="paused")])
                    return
        ended = ("failed", '{"$error":{}}') if chance.random() < 0.4 else ("succeeded", "1")
        store.apply(worker_id, [finished(run.run_id, run.claim, *ended)])

    def steer(self, run_ids: Sequence[str], rounds: int, seed: int) -> None:
        """Steer these runs, each so often, and note what is acknowledged."""
        chance = random.Random(f"{self.seed} {seed}")  # noqa: S311
        with closing(self.open_another()) as store:
            steers = Steers(store, SERIALIZER, Nobody())
            for _ in range(rounds):
                run_id, operation = chance.choice(run_ids), chance.choice(OPERATIONS)
                with suppress(SteeringError):
                    if getattr(self, operation)(store, steers, run_id, run_ids):
                        self.acknowledged[operation] += 1

    def pause(self, store: Store, steers: Steers, run_id: str, _: Sequence[str]) -> bool:
        """Once it is seen to rest, nobody takes it."""
        is_paused = bool(steers.pause([run_id], ME))
        row = store.runs.row(run_id)
        if row is not None and row.stopped == "paused":
            self.resting.add(run_id)
        return is_paused

    def resume(self, _: Store, steers: Steers, run_id: str, __: Sequence[str]) -> bool:
        """It may be taken from now on."""
        self.resting.discard(run_id)
        return bool(steers.resume([run_id], ME))

    def cancel(self, store: Store, _: Steers, run_id: str, __: Sequence[str]) -> bool:
        """It ends as cancelled."""
        is_cancelled = bool(store.steering.cancel([run_id], ME))
        self.known[run_id].is_cancelled |= is_cancelled
        return is_cancelled

    def retry(self, _: Store, steers: Steers, run_id: str, __: Sequence[str]) -> bool:
        """A life more."""
        was_resting = run_id in self.resting  # and was cancelled then: that is over, too
        self.resting.discard(run_id)
        is_retried = steers.retry(run_id, ME)
        if was_resting and not is_retried:
            self.resting.add(run_id)
        self.known[run_id].lives += is_retried
        self.known[run_id].is_cancelled &= not is_retried
        return is_retried

    def restart(self, _: Store, steers: Steers, run_id: str, __: Sequence[str]) -> bool:
        """A life more, out of a pause, too."""
        was_resting = run_id in self.resting
        self.resting.discard(run_id)
        try:
            steers.restart(run_id, None, ME)
        except SteeringError:
            if was_resting:
                self.resting.add(run_id)
            raise
        self.known[run_id].lives += 1
        self.known[run_id].is_cancelled = False
        return True

    def fork(self, _: Store, steers: Steers, run_id: str, __: Sequence[str]) -> bool:
        """A run more, of the steps before the last, where those are there just now."""
        fork_id = f"{run_id} fork {len(self.known[run_id].forks)}"
        steers.fork(run_id, fork_id, None if len(fork_id) % 2 else "1", ME)
        self.known[run_id].forks.append(fork_id)
        return True

    def delete(self, store: Store, steers: Steers, run_id: str, __: Sequence[str]) -> bool:
        """It is gone with all that it had; its id is free, and another run has it."""
        if not steers.delete([run_id], ME).run_ids:
            return False
        assert {table for table, rows in store.keeper.rows([run_id]).items() if rows} <= {"audit"}
        self.known[run_id] = Known(forks=self.known[run_id].forks)
        self.resting.discard(run_id)
        store.create([created(run_id, entry_id=f"anew {self.acknowledged.total()}")])
        return True

    def bulk(self, _: Store, steers: Steers, __: str, run_ids: Sequence[str]) -> bool:
        """All at once."""
        steers.pause(run_ids, ME)
        self.resting.difference_update(run_ids)
        return bool(steers.resume(run_ids, ME))


@contextmanager
def working(storm: Storm) -> Iterator[None]:
    """Two workers meanwhile."""
    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(storm.work, worker_id) for worker_id in (W1, W2)]
        try:
            yield
        finally:
            storm.is_over.set()
            for worker in workers:  # what one of them has met says more than what is left undone
                worker.result(timeout=60)


def race(store: Store, open_another: OpenAnother, rounds: int, seed: int) -> Counter[str]:
    """Steer four times three runs so often; how often each operation was acknowledged."""
    join(store, W1, W2)
    storm = Storm(open_another, seed)
    groups = [[f"run {group} {number}" for number in range(3)] for group in range(4)]
    for run_id in [run_id for group in groups for run_id in group]:
        storm.known[run_id] = Known()
        store.create([created(run_id)])
    with working(storm):
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(storm.steer, group, rounds, place) for place, group in enumerate(groups)]:
                done.result(timeout=1_800)
        wait_for_all(store, storm)
    for run_id, known in storm.known.items():
        check(store, run_id, known)
    return storm.acknowledged


def wait_for_all(store: Store, storm: Storm) -> None:
    """Let go on what is paused, until all has ended."""
    run_ids = [run_id for run_id, known in storm.known.items() for run_id in (run_id, *known.forks)]
    looked = threading.Event()
    for _ in range(2_000):
        storm.resting.clear()
        store.steering.resume(run_ids, ME)
        rows = [store.runs.row(run_id) for run_id in run_ids]
        if all(row is not None and row.state in TERMINAL for row in rows):
            return
        looked.wait(0.01)
    raise AssertionError([row for row in rows if row is None or row.state not in TERMINAL])


def check(store: Store, run_id: str, known: Known) -> None:
    """The run stands as was acknowledged."""
    past = store.steering.past(run_id)
    assert past is not None
    assert past.incarnation == known.lives
    assert (past.state == "cancelled") == known.is_cancelled
    for one_id in (run_id, *known.forks):
        rows = store.runs.checkpoints(one_id)
        row = store.runs.row(one_id)
        assert row is not None
        keys = sorted(row.key for row in rows)
        assert keys == [str(number) for number in range(len(keys))]
        assert row.state == "cancelled" or len(keys) == STEPS
    lives = [row.outcome.text for row in sorted(store.runs.checkpoints(run_id), key=lambda row: row.key)]
    assert lives == sorted(lives, key=lambda text: int(text.split()[-1].strip('"'))), (
        "a later step is of an earlier life"
    )


def test_what_is_acknowledged_of_steering_holds(store: Store, open_another: OpenAnother) -> None:
    """Whatever workers do at that moment."""
    race(store, open_another, 40, 1)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_what_is_acknowledged_holds_thousands_of_times(store: Store, open_another: OpenAnother) -> None:
    """The same, until each operation was acknowledged a thousand times."""
    acknowledged = Counter[str]()
    for seed in range(1_000):
        if seed and min(acknowledged[operation] for operation in OPERATIONS) >= 1_000:
            break
        for run in store.finder.page(Wanted(), 1_000).runs:
            store.steering.delete([run.run_id], ME)
        acknowledged += race(store, open_another, 500, seed)
    print(dict(acknowledged))
