"""What a worker's code cannot replay goes on to one with another version of it, and waits only where none is left."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from perdure._entries import Accepted, RunParked
from perdure.stores.protocol import Served, Store, WorkerRow
from tests.stores.entries import W1, W2, W3, WORK, claim, claim_one, created, recorded, state


def join(store: Store, worker_id: str, version: str | None, *, names: Iterable[str] = (WORK,), queue: str = "") -> None:
    """A worker with this version of the code."""
    store.workers.join(WorkerRow(worker_id, "host", 4711, serves=Served((queue,), tuple(names), version)), 60.0)


def refuse(store: Store, worker_id: str, run_id: str, claim: str) -> str | None:
    """It cannot be replayed there; what becomes of it."""
    [verdict] = store.apply(worker_id, [refusal(run_id, claim)])
    assert isinstance(verdict, Accepted)
    assert store.apply(worker_id, [refusal(run_id, claim)]) == [verdict]  # sent again, it finds itself
    return verdict.state


def refusal(run_id: str, claim: str) -> RunParked:
    """The entry."""
    return RunParked(run_id, claim, stopped="mend", reason="it differs", is_refused=True)


def test_what_one_version_refuses_is_for_another(store: Store) -> None:
    """It is ready at once, and the first one passes it by, as do all with its version; the reason stays to be read."""
    join(store, W1, "old")
    join(store, W2, "old")
    join(store, W3, "new")
    store.create([created("r")])
    assert refuse(store, W1, "r", claim_one(store, W1, "r")) == "ready"
    row = store.runs.row("r")
    assert row is not None
    assert (row.state, row.stopped, row.reason, row.attempts) == ("ready", None, "it differs", 0)
    for worker_id in (W1, W2):
        assert claim(store, worker_id) == []
        assert not store.pulse(worker_id, [""], [WORK]).has_claimable
    assert store.pulse(W3, [""], [WORK]).has_claimable
    claim_one(store, W3, "r")


def test_what_all_have_refused_waits_for_a_mend(store: Store) -> None:
    """With the difference; a launch of anybody gives it another chance, with every version."""
    join(store, W1, "old")
    join(store, W2, "new")
    store.create([created("r")])
    assert refuse(store, W1, "r", claim_one(store, W1, "r")) == "ready"
    assert refuse(store, W2, "r", claim_one(store, W2, "r")) == "parked"
    row = store.runs.row("r")
    assert row is not None
    assert (row.state, row.stopped, row.reason) == ("parked", "mend", "it differs")
    assert store.mending.mend([WORK]) == ["r"]
    claim_one(store, W1, "r")


@pytest.mark.parametrize("other", ["unknown function", "another queue", "the same version"])
def test_who_could_not_take_it_is_nobody(store: Store, other: str) -> None:
    """A worker of another version that does not know the function, or does not serve its queue."""
    join(store, W1, "old")
    names = ["app:other"] if other == "unknown function" else [WORK]
    version = "old" if other == "the same version" else "new"
    join(store, W2, version, names=names, queue="q" if other == "another queue" else "")
    store.create([created("r")])
    assert refuse(store, W1, "r", claim_one(store, W1, "r")) == "parked"


def test_it_is_looked_at_again(store: Store) -> None:
    """Where the other worker has gone it waits for a mend; where one has come without a launch, it is for that one."""
    join(store, W1, "old")
    join(store, W2, "new")
    store.create([created("r")])
    refuse(store, W1, "r", claim_one(store, W1, "r"))
    assert store.mending.reconsider(W1, [""], [WORK]) == 0
    assert state(store, "r") == "ready"
    store.workers.leave(W2)
    assert store.mending.reconsider(W1, [""], [WORK]) == 0
    row = store.runs.row("r")
    assert row is not None
    assert (row.state, row.stopped, row.reason) == ("parked", "mend", "it differs")
    join(store, W3, "new")
    assert store.mending.reconsider(W3, ["q"], [WORK]) == 0
    assert store.mending.reconsider(W3, [""], ["app:other"]) == 0
    assert store.mending.reconsider(W3, [""], [WORK]) == 1
    assert claim(store, W1) == []
    claim_one(store, W3, "r")
    assert store.mending.reconsider(W1, [""], [WORK]) == 0


def test_a_refusal_stands_beside_other_entries(store: Store) -> None:
    """In one batch; what was recorded before it is kept, and other runs park as they do."""
    join(store, W1, "old")
    join(store, W2, "new")
    store.create([created("r"), created("s")])
    first, second = claim(store, W1)
    entries = [
        recorded("r", first.claim),
        refusal("r", first.claim),
        RunParked("s", second.claim, stopped="mend", reason="the database refused it"),
    ]
    assert store.apply(W1, entries) == [Accepted(), Accepted("ready"), Accepted("parked")]
    assert [one.key for one in store.runs.checkpoints("r")] == ["1"]
    row = store.runs.row("s")
    assert row is not None
    assert (row.state, row.stopped) == ("parked", "mend")
    assert store.mending.reconsider(W2, [""], [WORK]) == 0


def test_a_version_without_a_name_is_one_too(store: Store) -> None:
    """Of a worker that has told none: it tries once."""
    join(store, W1, None)
    store.create([created("r", held_as=None)])
    assert refuse(store, W1, "r", claim_one(store, W1, "r")) == "parked"
