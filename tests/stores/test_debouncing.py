"""Debounced runs: of those that are asked for under one key one begins, with the last input. On every store."""

from __future__ import annotations

import json
import random
import threading
from typing import Any

import pytest

from perdure._entries import Accepted, Existed, Joined, Refused, RunDebounced, Stored
from perdure.stores.protocol import Store
from tests.stores.entries import C1, C2, W1, WORK, OpenAnother, claim, created, created_at_last, finished, join


def debounced(run_id: str, key: str = "k", seconds: float = 3600.0, **changes: Any) -> RunDebounced:
    """A run with a key, asked for with its own id as the argument."""
    values: dict[str, Any] = {"dedup_key": key, "dedup_until_start": True, "debounce_seconds": seconds}
    stored = Stored("json", json.dumps([run_id]))
    fingerprint = changes.pop("fingerprint", "f1")
    return RunDebounced(run_id, "workflow", WORK, fingerprint, stored, f"made {run_id}", **(values | changes))


def due_in(store: Store, run_id: str) -> float:
    """How long after it was first asked for it begins."""
    row = store.runs.row(run_id)
    assert row is not None
    assert row.due_at is not None
    return row.due_at - row.created_at


def test_the_next_of_a_key_joins_and_waits_anew(store: Store) -> None:
    """One run, the input of the last, due by the last."""
    assert store.create([debounced("a", seconds=100)]) == [Accepted()]
    assert store.create([debounced("b", seconds=50, fingerprint="f2")]) == [Joined("a")]
    assert store.runs.row("b") is None
    row = store.runs.row("a")
    assert row is not None
    assert row.fingerprint == "f2"
    assert 50 <= due_in(store, "a") < 100
    store.create([debounced("c", seconds=0)])
    join(store, W1)
    [run] = claim(store, W1)
    assert (run.run_id, run.input.text) == ("a", '["c"]')


def test_it_waits_no_longer_than_the_longest(store: Store) -> None:
    """From the first on, whoever asks."""
    store.create([debounced("a", seconds=100, longest_seconds=300)])
    assert due_in(store, "a") == pytest.approx(100)
    store.create([debounced("b", seconds=3600, longest_seconds=300)])
    assert due_in(store, "a") == pytest.approx(300)
    assert store.create([debounced("z", key="z", seconds=100, longest_seconds=20)]) == [Accepted()]
    assert due_in(store, "z") == pytest.approx(20)


def test_one_that_has_begun_is_joined_by_nobody(store: Store) -> None:
    """What comes then is another run, also where the first was handed back."""
    store.create([debounced("a", seconds=0)])
    join(store, W1)
    [run] = claim(store, W1)
    assert store.create([debounced("b")]) == [Accepted()]
    store.apply(W1, [finished("a", run.claim)])
    assert store.create([debounced("c")]) == [Joined("b")]


def test_several_of_a_batch_become_one(store: Store) -> None:
    """In their order; others beside them are their own."""
    verdicts = store.create([debounced("z"), created("o"), debounced("a"), debounced("m", key="l")])
    assert verdicts == [Accepted(), Accepted(), Joined("z"), Accepted()]
    store.create([debounced("n", seconds=0)])
    store.create([debounced("q", key="l", seconds=0)])
    join(store, W1)
    assert {run.run_id: run.input.text for run in claim(store, W1)} == {"o": '["o"]', "z": '["n"]', "m": '["q"]'}


def test_a_key_that_is_another_runs_is_told(store: Store) -> None:
    """Of a run that keeps it until its end, or of another function; nothing of that run is changed."""
    store.create([created("a", dedup_key="k")])
    other = debounced("c", key="l")
    other.name = "app:other"
    store.create([other])
    verdicts = store.create([debounced("b"), debounced("d", key="l")])
    assert verdicts == [Existed("a", WORK, "f1", "ready"), Existed("c", "app:other", "f1", "ready")]
    assert [store.create([entry]) for entry in (created("e", dedup_key="k"), debounced("f"))] == [[verdicts[0]]] * 2


def test_of_a_batch_with_both_kinds_the_first_has_the_key(store: Store) -> None:
    """Whichever is written first."""
    [made, met] = store.create([created("a", dedup_key="k"), debounced("b")])
    assert (made, isinstance(met, Existed)) == (Accepted(), True)
    [made, met] = store.create([debounced("c", key="l"), created("d", dedup_key="l")])
    assert (made, isinstance(met, Existed) and met.run_id) == (Accepted(), "c")


def test_the_last_sent_again_finds_itself(store: Store) -> None:
    """So does the first, by its id."""
    store.create([debounced("a")])
    store.create([debounced("b")])
    assert [store.create([debounced(name)]) for name in "ba"] == [[Joined("a")], [Joined("a")]]
    join(store, W1)


def test_a_run_asks_under_its_claim_and_gets_no_child(store: Store) -> None:
    """Whose claim has ended asks for nothing."""
    join(store, W1)
    store.apply(W1, [created("p", held_as=C1)])
    its = {"parent_id": "p", "parent_key": "1"}
    assert store.apply(W1, [debounced("a", claim=C1, **its)]) == [Accepted()]
    row = store.runs.row("a")
    assert row is not None
    assert row.parent_id is None
    assert store.create([debounced("c", key="m", queue="q", flow_key="t", seconds=0)]) == [Accepted()]
    assert [run.run_id for run in claim(store, W1, queue="q")] == ["c"]
    assert isinstance(store.apply(W1, [debounced("b", claim=C2, key="l", **its)])[0], Refused)
    assert store.runs.row("b") is None


def test_many_who_ask_at_once_become_one_run(store: Store, open_another: OpenAnother) -> None:
    """Each is told of a run that is there, and of each key one waits."""
    told: list[str] = []
    begun = threading.Barrier(4)

    def ask(number: int) -> None:
        mine, chance = open_another(), random.Random(number)  # noqa: S311  # a draw that can be repeated
        begun.wait()
        for turn in range(10):
            entries = [debounced(f"{key} {number} {turn}", key=key) for key in chance.sample("xyz", 3)]
            for entry, verdict in zip(entries, created_at_last(mine, entries), strict=True):
                assert isinstance(verdict, (Accepted, Joined))
                told.append(entry.run_id if isinstance(verdict, Accepted) else verdict.run_id)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 120
    assert sorted(run_id[0] for run_id in set(told)) == ["x", "y", "z"]
    assert all(store.runs.row(run_id) is not None for run_id in told)
