"""The contract of what a step's body saves and says: one row a step, fenced, the last counts."""

from __future__ import annotations

import pytest

from perdure._entries import Accepted, ProgressMade, Refused, Stored, ValueSaved
from perdure.stores.protocol import Store
from tests.stores.entries import C1, C2, W1, W2, claim, created, finished, join, recorded, released


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def saved(number: int, text: str, *, claim: str = C1, key: str = "0", is_over: bool = False) -> ValueSaved:
    """What the body of the step at this key saves, as the claim's entry of this number."""
    entry = ValueSaved("r", claim, str(number), f"{key}~saved", "saved", "app:fetch", "-", False, Stored("json", text))
    entry.is_over = is_over
    return entry


def said(done: float, *, claim: str = C1, run_id: str = "r", key: str = "0", note: str | None = None) -> ProgressMade:
    """How far it has come."""
    return ProgressMade(run_id, claim, key, "app:fetch", 1, done, 10.0, note)


def rows(store: Store) -> list[tuple[str, str]]:
    """What is saved."""
    return [(row.key, row.outcome.text) for row in store.runs.checkpoints("r") if row.kind == "saved"]


def test_the_last_counts(store: Store) -> None:
    """In a batch and after it; each step has its own."""
    store.apply(W1, [created("r", held_as=C1)])
    assert store.apply(W1, [saved(1, "1"), saved(2, "2"), saved(3, "7", key="1")]) == [Accepted()] * 3
    assert rows(store) == [("0~saved", "2"), ("1~saved", "7")]
    assert store.apply(W1, [saved(4, "3")]) == [Accepted()]
    assert dict(rows(store)) == {"0~saved": "3", "1~saved": "7"}
    [history] = store.runs.histories(["r"])
    assert {row.kind for row in history.checkpoints} == {"saved"}


def test_it_is_gone_with_the_outcome(store: Store) -> None:
    """In the same batch as what was saved last, or another."""
    store.apply(W1, [created("r", held_as=C1), saved(1, "1")])
    entries = [saved(2, "2"), recorded("r", C1, "0"), saved(3, "null", is_over=True)]
    assert store.apply(W1, entries) == [Accepted()] * 3
    assert rows(store) == []
    assert store.apply(W1, [saved(4, "null", is_over=True)]) == [Accepted()]


def test_a_batch_that_is_sent_again_overwrites_nothing(store: Store) -> None:
    """What the same claim has saved since stays."""
    store.apply(W1, [created("r", held_as=C1)])
    first = [saved(9, "1"), recorded("r", C1, "7")]
    store.apply(W1, first)
    store.apply(W1, [saved(10, "2")])
    assert store.apply(W1, first) == [Accepted()] * 2
    assert rows(store) == [("0~saved", "2")]


def test_whoever_has_lost_the_run_saves_nothing(store: Store) -> None:
    """Nor says how far it has come; the next claim does both."""
    store.apply(W1, [created("r", held_as=C1), saved(1, "1"), said(1)])
    store.apply(W1, [released("r", C1)])
    for entry in (saved(2, "2"), said(2)):
        [verdict] = store.apply(W1, [entry])
        assert isinstance(verdict, Refused)
    [run] = claim(store, W2)
    assert store.apply(W2, [saved(0, "3", claim=run.claim), said(3, claim=run.claim)]) == [Accepted()] * 2
    assert rows(store) == [("0~saved", "3")]
    [row] = store.finder.progress(["r"])
    assert row.done == 3


def test_how_far_the_steps_have_come(store: Store) -> None:
    """Those without an outcome, of runs that have not ended: the last of each, in one question."""
    store.apply(W1, [created("r", held_as=C1), created("s", held_as=C2)])
    entries = [said(1), said(2, note="half"), said(5, key="1"), said(7, claim=C2, run_id="s", key="")]
    assert store.apply(W1, entries) == [Accepted()] * 4
    found = store.finder.progress(["r", "s", "nobody"])
    assert {(row.run_id, row.key): (row.done, row.total, row.note) for row in found} == {
        ("r", "0"): (2, 10, "half"),
        ("r", "1"): (5, 10, None),
        ("s", ""): (7, 10, None),
    }
    store.apply(W1, [recorded("r", C1, "0"), finished("s", C2)])
    assert [row.key for row in store.finder.progress(["r", "s"])] == ["1"]
    assert store.finder.progress([]) == []
