"""The contract of `apply` for runs whose whole life falls into one batch: nobody can tell it from two batches."""

from __future__ import annotations

import pytest

from perdure._entries import Accepted, Entry, Existed, Refused, Verdict
from perdure.stores.protocol import Store
from tests.stores.entries import C1, C2, C3, W1, child, claim, created, finished, join, recorded, state


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """One has the right to write."""
    join(store, W1)


def life(run_id: str, claim_id: str, **changes: object) -> list[Entry]:
    """From its creation to its end."""
    return [created(run_id, held_as=claim_id, **changes), finished(run_id, claim_id)]


def test_such_a_run_looks_like_any_other_that_has_ended(store: Store) -> None:
    """The same row, input and output, and the end is told."""
    store.apply(W1, [created("slow", held_as=C1)])
    store.apply(W1, [finished("slow", C1)])
    assert store.apply(W1, life("quick", C2)) == [Accepted(), Accepted("succeeded")]
    slow, quick = store.runs.row("slow"), store.runs.row("quick")
    assert slow is not None
    assert quick is not None
    for name in ("kind", "name", "state", "queue", "fingerprint", "attempts", "worker_id", "reason", "needs_mend"):
        assert getattr(quick, name) == getattr(slow, name)
    assert quick.created_at <= (quick.started_at or 0) <= (quick.finished_at or 0)
    [ended] = store.runs.ended(["quick"])
    assert ended.output is not None
    assert ended.output.text == "42"
    assert claim(store, W1) == []


def test_the_same_batch_again_is_success(store: Store) -> None:
    """Its reply was lost: it finds its own traces, and writes nothing twice."""
    batch = [*life("a", C1), *life("b", C2)]
    assert store.apply(W1, batch) == store.apply(W1, batch)
    assert [ended.run_id for ended in store.runs.ended(["a", "b"])] == ["a", "b"]


def test_half_of_it_is_there_already(store: Store) -> None:
    """The creation was committed in a batch of its own, the reply lost, and now both are sent."""
    creation, end = life("r", C1)
    store.apply(W1, [creation])
    assert store.apply(W1, [creation, end]) == [Accepted(), Accepted("succeeded")]
    assert state(store, "r") == "succeeded"


def test_an_id_that_is_taken_refuses_the_life_and_nothing_beside_it(store: Store) -> None:
    """The other run stays as it is; whole lives and single entries beside it are written."""
    store.apply(W1, [created("taken", entry_id="another's")])
    batch = [*life("taken", C1), *life("free", C2), created("beside")]
    verdicts: list[Verdict] = store.apply(W1, batch)
    assert isinstance(verdicts[0], Existed)
    assert isinstance(verdicts[1], Refused)
    assert verdicts[2:] == [Accepted(), Accepted("succeeded"), Accepted()]
    assert [state(store, run_id) for run_id in ("taken", "free", "beside")] == ["ready", "succeeded", "ready"]


def test_a_refused_neighbour_leaves_the_life_whole(store: Store) -> None:
    """A claim that has ended refuses its own entries alone."""
    verdicts = store.apply(W1, [recorded("nobody", C3), *life("r", C1)])
    assert isinstance(verdicts[0], Refused)
    assert verdicts[1:] == [Accepted(), Accepted("succeeded")]


def test_what_a_run_recorded_or_made_in_between_is_kept(store: Store) -> None:
    """Then it is no single row, and all of it is there."""
    creation, end = life("r", C1)
    batch = [creation, recorded("r", C1), child("its child", "r", C1), end]
    assert store.apply(W1, batch) == [Accepted(), Accepted(), Accepted(), Accepted("succeeded")]
    assert [row.kind for row in store.runs.checkpoints("r")] == ["child", "step"]
    assert state(store, "its child") == "ready"


def test_it_may_end_with_an_error(store: Store) -> None:
    """Nobody can cancel it in between."""
    end = finished("r", C1, "failed", '{"$error":{}}')
    assert store.apply(W1, [created("r", held_as=C1), end]) == [Accepted(), Accepted("failed")]
    [ended] = store.runs.ended(["r"])
    assert (ended.state, ended.output is None) == ("failed", False)
    assert not store.cancels.ask(["r"])
