"""The contract of a child's call: the creation of a child is a checkpoint of its parent, in the same statement."""

from __future__ import annotations

import json

import pytest

from perdure._entries import Accepted, Existed
from perdure.stores.protocol import Store
from tests.stores.entries import C1, C2, W1, W2, child, created, join, recorded


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def calls(store: Store, run_id: str = "p") -> list[tuple[str, str]]:
    """The calls of children that the run has recorded: keys, and the ids of the runs."""
    rows = store.runs.checkpoints(run_id)
    return [(row.key, json.loads(row.outcome.text)) for row in rows if row.kind == "child"]


def test_the_creation_of_a_child_is_a_checkpoint_of_its_parent(store: Store) -> None:
    """With its name and fingerprint; in the batch that makes the parent, too; a run of nobody's leaves none."""
    store.apply(W1, [created("p", held_as=C1), child("a", "p", C1), created("other")])
    store.apply(W1, [child('b"1', "p", C1, held_as=C2), recorded("p", C1)])
    assert calls(store) == [("key of a", "a"), ('key of b"1', 'b"1')]
    [call] = [row for row in store.runs.checkpoints("p") if row.key == "key of a"]
    assert (call.name, call.fingerprint, call.is_error, call.position) == ("app:work", "f1", False, None)
    assert calls(store, "other") == []


def test_a_creation_that_is_sent_again_leaves_one_checkpoint(store: Store) -> None:
    """Beside one that is new."""
    batch = [created("p", held_as=C1), child("a", "p", C1)]
    store.apply(W1, batch)
    assert store.apply(W1, [*batch, child("b", "p", C1)]) == [Accepted()] * 3
    assert calls(store) == [("key of a", "a"), ("key of b", "b")]


def test_a_child_that_is_not_made_leaves_none(store: Store) -> None:
    """Whose id is taken, or whose parent's claim is over: what was found is the parent's to record."""
    store.apply(W1, [created("p", held_as=C1), created("taken", entry_id="another")])
    [verdict] = store.apply(W1, [child("taken", "p", C1)])
    assert isinstance(verdict, Existed)
    store.apply(W2, [child("late", "p", C1)])
    assert calls(store) == []


def test_the_records_of_a_claim_are_numbered_in_the_order_in_which_they_were_made(store: Store) -> None:
    """A child's by the number in its entry's id: sections of a batch are written one after the other."""
    store.apply(W1, [created("p", held_as=C1)])
    store.apply(W1, [recorded("p", C1, key="0", entry_id="0"), child("a", "p", C1, entry_id=f"{C1}:1")])
    assert {row.key for row in store.runs.checkpoints("p")} == {"0", "key of a"}
