"""Keys: of those runs of a queue that have one key, a single one is unfinished, or not begun. On every store."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from perdure._entries import Accepted, Existed, RunCreated
from perdure.stores.protocol import Store
from tests.stores.entries import (
    C1,
    C2,
    W1,
    OpenAnother,
    child,
    claim,
    created,
    created_at_last,
    finished,
    fresh_claims,
    join,
    parked,
    released,
    state,
)


def keyed(run_id: str, key: str = "k", **changes: Any) -> RunCreated:
    """A run with a key."""
    return created(run_id, dedup_key=key, **changes)


def test_a_second_run_of_a_key_is_not_made(store: Store) -> None:
    """The verdict names the run that has the key; what else is in the batch is made."""
    assert store.create([keyed("a")]) == [Accepted()]
    verdicts = store.create([keyed("b", fingerprint="f9"), created("c")])
    assert verdicts == [Existed("a", "app:work", "f1", "ready"), Accepted()]
    assert store.runs.row("b") is None


def test_the_same_entry_sent_again_finds_itself(store: Store) -> None:
    """And not that somebody has its key: that is itself."""
    assert [store.create([keyed("a")]) for _ in range(2)] == [[Accepted()], [Accepted()]]


def test_a_key_is_that_of_a_queue(store: Store) -> None:
    """In another one, or with another key, a run is another."""
    entries = [keyed("a"), keyed("b", queue="q"), keyed("c", key="l"), created("d"), created("e")]
    assert store.create(entries) == [Accepted()] * 5


def test_of_one_batch_the_first_is_made(store: Store) -> None:
    """In the order of the batch, whatever the order of the ids."""
    verdicts = store.create([keyed("z"), keyed("a")])
    assert verdicts == [Accepted(), Existed("z", "app:work", "f1", "ready")]


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_every_end_frees_the_key(store: Store, end: str) -> None:
    """Also that by the code of the run."""
    join(store, W1)
    store.apply(W1, [keyed("a", held_as=C1)])
    if end == "cancelled":
        store.cancels.ask(["a"])
    store.apply(W1, [finished("a", C1, end)])
    assert store.create([keyed("b")]) == [Accepted()]


def test_an_end_by_others_frees_the_key(store: Store) -> None:
    """A cancel that is swept, and a run that has ended its worker too often."""
    store.create([keyed("a"), keyed("x", key="x", max_attempts=1)])
    store.cancels.ask(["a"])
    store.cancels.sweep()
    join(store, W1)
    claim(store, W1, last_attempts="only")
    store.workers.take_over(W1)
    assert (state(store, "a"), state(store, "x")) == ("cancelled", "dead")
    assert store.create([keyed("b"), keyed("y", key="x")]) == [Accepted(), Accepted()]


def test_a_parked_run_keeps_its_key(store: Store) -> None:
    """It has not ended; nor has one that was handed back."""
    join(store, W1)
    store.apply(W1, [keyed("a", held_as=C1), parked("a", C1, due_at=4e9)])
    store.apply(W1, [keyed("b", key="l", held_as=C2), released("b", C2)])
    verdicts = store.create([keyed("c"), keyed("d", key="l")])
    assert [isinstance(verdict, Existed) and verdict.run_id for verdict in verdicts] == ["a", "b"]


def test_until_the_start_a_claim_frees_the_key_for_good(store: Store) -> None:
    """Being handed back, or taken over, does not bring it back: another run may have it by then."""
    store.create([keyed("a", dedup_until_start=True)])
    join(store, W1)
    [run] = claim(store, W1)
    assert store.create([keyed("b", dedup_until_start=True)]) == [Accepted()]
    store.apply(W1, [released("a", run.claim)])
    [verdict] = store.create([keyed("c", dedup_until_start=True)])
    assert isinstance(verdict, Existed)
    assert verdict.run_id == "b"


def test_a_run_that_begins_at_once_has_its_key_until_the_start_never(store: Store) -> None:
    """It has begun when it is made."""
    join(store, W1)
    entries = [keyed(name, dedup_until_start=True, held_as=its) for name, its in (("a", C1), ("b", C2))]
    assert store.apply(W1, entries) == [Accepted(), Accepted()]


def test_a_child_that_meets_another_run_is_not_made(store: Store) -> None:
    """The parent goes on: its later entries of the batch are written."""
    join(store, W1)
    store.create([keyed("other")])
    store.apply(W1, [created("p", held_as=C1)])
    verdicts = store.apply(W1, [child("c", "p", C1, dedup_key="k"), child("d", "p", C1)])
    assert verdicts == [Existed("other", "app:work", "f1", "ready"), Accepted()]


def test_many_who_make_runs_of_few_keys_make_one_of_each_at_a_time(store: Store, open_another: OpenAnother) -> None:
    """Whoever is told that its run was made has a run, nobody else has, and whoever is not is told whose the key is:
    that was so at some moment of the call. Counted from outside, by whoever ends them: of each key one at a time.
    """
    join(store, W1)
    made: list[str] = []
    met: list[tuple[str, str]] = []
    begun = threading.Barrier(4)

    def submit(number: int) -> None:
        mine, chance = open_another(), random.Random(number)  # noqa: S311  # a draw that can be repeated
        begun.wait()
        for turn in range(15):
            entries = [keyed(f"{key} {number} {turn}", key=key) for key in chance.sample("xyz", 3)]
            for entry, verdict in zip(entries, created_at_last(mine, entries), strict=True):
                if verdict == Accepted():
                    made.append(entry.run_id)
                else:
                    assert isinstance(verdict, Existed)
                    met.append((entry.run_id, verdict.run_id))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    ended: list[str] = []
    while any(thread.is_alive() for thread in threads) or len(ended) < len(made):
        for run in claim(store, W1, claims=fresh_claims(10)):
            [verdict] = store.create([keyed("no", key=run.run_id[0])])
            assert isinstance(verdict, Existed)
            assert verdict.run_id == run.run_id  # and nobody else's
            store.apply(W1, [finished(run.run_id, run.claim)])
            ended.append(run.run_id)
    assert sorted(ended) == sorted(made)
    assert len(made) + len(met) == 4 * 15 * 3
    assert all(holder in made and holder[0] == run_id[0] for run_id, holder in met)
    assert all(store.runs.row(run_id) is None for run_id, _ in met)


@dataclass
class Small:
    """The rule, in the smallest form: who has a key of a queue."""

    holders: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)

    def submit(self, entry: RunCreated) -> str:
        """The run that stands for it."""
        place = entry.queue, entry.dedup_key or ""
        held_by, _ = self.holders.setdefault(place, (entry.run_id, bool(entry.dedup_until_start)))
        return held_by

    def begin(self, run_id: str) -> None:
        """Those until the start are free."""
        self.holders = {place: it for place, it in self.holders.items() if it != (run_id, True)}

    def end(self, run_id: str) -> None:
        """So is that of what has ended."""
        self.holders = {place: it for place, it in self.holders.items() if it[0] != run_id}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_a_key_has_the_holder_of_the_model(store: Store, seed: int) -> None:
    """Submits, starts, parks, releases, ends and deaths of workers, at random."""
    chance, model, number = random.Random(seed), Small(), 0  # noqa: S311  # as above
    held: dict[str, str] = {}
    join(store, W1)
    for _ in range(60):
        match chance.choice(["submit", "submit", "claim", "end", "release", "die"]):
            case "submit":
                number += 1
                until_start = chance.random() < 0.5 or None
                its, queue = chance.choice("ab"), chance.choice(["", "q"])
                entry = keyed(f"run {number}", key=its, queue=queue, dedup_until_start=until_start)
                expected = model.submit(entry)
                [verdict] = store.create([entry])
                assert (verdict.run_id if isinstance(verdict, Existed) else entry.run_id) == expected
            case "claim":
                for run in claim(store, W1, 1, queue=chance.choice(["", "q"])):
                    held[run.run_id] = run.claim
                    model.begin(run.run_id)
            case "end" if held:
                run_id = chance.choice(sorted(held))
                store.apply(W1, [finished(run_id, held.pop(run_id), chance.choice(["succeeded", "failed"]))])
                model.end(run_id)
            case "release" if held:
                run_id = chance.choice(sorted(held))
                store.apply(W1, [released(run_id, held.pop(run_id))])
            case "die":
                store.workers.take_over(W1)
                held.clear()
                join(store, W1)
