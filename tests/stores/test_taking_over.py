"""The contract of workers' rows: joining, renewing, leaving, and being taken over."""

from __future__ import annotations

import pytest

from perdure._entries import Accepted
from perdure.stores.protocol import Fenced, Store
from tests.processes.waiting import wait_until
from tests.stores.entries import (
    A_MINUTE,
    C1,
    C2,
    C3,
    C4,
    W1,
    W2,
    WORK,
    child,
    claim,
    created,
    finished,
    join,
    named_uuid,
    recorded,
    released,
    state,
    worker,
)


def attempts(store: Store, run_id: str) -> int:
    """How many attempts are charged."""
    run = store.runs.row(run_id)
    assert run is not None
    return run.attempts


def test_a_worker_that_joined_is_listed(store: Store) -> None:
    """With all that others need to judge whether it lives."""
    join(store, W1)
    assert store.workers.all() == [worker(W1)]


def test_joining_again_is_success(store: Store) -> None:
    """The reply of a join may be lost."""
    join(store, W1, W1)
    assert len(store.workers.all()) == 1


def test_a_renewal_is_a_change_that_others_see(store: Store) -> None:
    """And nothing else is one: what the rows say stays the same until then (rule 10)."""
    join(store, W1, lease_seconds=A_MINUTE)
    [joined], [looked] = store.workers.all(), store.workers.all()
    assert (joined.renewed_at, joined.lease_seconds) == (looked.renewed_at, A_MINUTE)
    wait_until(lambda: store.workers.renew(W1) and store.workers.all()[0].renewed_at != joined.renewed_at)


def test_a_worker_without_a_row_cannot_renew(store: Store) -> None:
    """It learns from its heartbeat that it was taken over, and does not come back by it."""
    assert store.workers.renew(W1) is False
    assert store.workers.all() == []


def test_leaving_hands_everything_back_uncharged(store: Store) -> None:
    """A clean end costs no run an attempt, and is idempotent."""
    join(store, W1, W2)
    store.apply(W1, [created("r", held_as=C1), created("s", held_as=C2)])
    store.workers.leave(W1)
    store.workers.leave(W1)
    assert [row.worker_id for row in store.workers.all()] == [W2]
    assert (state(store, "r"), attempts(store, "r")) == ("ready", 0)
    assert (state(store, "s"), attempts(store, "s")) == ("ready", 0)


def test_a_takeover_puts_every_run_where_it_belongs(store: Store) -> None:
    """Cancelled where a cancel waits, else ready, and charged; none of them died alone (rules 3, 8 and 11)."""
    join(store, W1, W2)
    store.apply(
        W1,
        [
            created("plain", held_as=C1),
            created("cancelled", held_as=C2, max_attempts=1),
            created("spent", held_as=C3, max_attempts=1),
            created("further", held_as=C4, max_attempts=1),
            recorded("further", C4),
        ],
    )
    store.cancels.ask(["cancelled"])
    taken = store.workers.take_over(W1)
    assert taken is not None
    assert sorted(taken) == ["cancelled", "further", "plain", "spent"]
    states = {run_id: state(store, run_id) for run_id in taken}
    assert states == {"plain": "ready", "cancelled": "cancelled", "spent": "ready", "further": "ready"}
    assert attempts(store, "plain") == attempts(store, "spent") == 1
    assert [row.worker_id for row in store.workers.all()] == [W2]


def at_the_limit(store: Store, run_id: str) -> None:
    """A run of two attempts that has one left, with nobody."""
    store.apply(W1, [created(run_id, held_as=(taken := named_uuid(f"first of {run_id}")), max_attempts=2)])
    store.apply(W1, [released(run_id, taken, charged=True)])


def test_a_run_at_its_limit_that_died_alone_is_dead(store: Store) -> None:
    """Nothing else was held when it was claimed, nor when its worker died (rule 11)."""
    join(store, W1, W2)
    at_the_limit(store, "alone")
    claim(store, W2, last_attempts="alone")

    store.workers.take_over(W2)

    [ended] = store.runs.ended(["alone"])
    assert ended.state == "dead"
    assert ended.reason is not None
    assert "2 attempts" in ended.reason


def test_a_run_at_its_limit_that_was_claimed_beside_others_goes_back(store: Store) -> None:
    """Also where they had ended before its worker died; and it is at its last attempt again."""
    join(store, W1, W2)
    at_the_limit(store, "late")
    store.apply(W2, [created("other", held_as=C1)])
    assert claim(store, W2) == []
    [late] = claim(store, W2, last_attempts="beside")
    store.apply(W2, [finished("other", C1)])

    store.workers.take_over(W2)

    assert (state(store, "late"), late.attempts) == ("ready", 2)
    join(store, W2)
    assert claim(store, W2) == []
    assert [run.run_id for run in claim(store, W2, last_attempts="alone")] == ["late"]


@pytest.mark.parametrize("how", ["begins", "begins and is cancelled"])
def test_a_run_at_its_limit_beside_which_another_one_began_goes_back(store: Store, how: str) -> None:
    """It was alone, and no more."""
    join(store, W1, W2)
    at_the_limit(store, "late")
    claim(store, W2, last_attempts="alone")
    store.apply(W2, [created("other", held_as=C1)])
    if "cancelled" in how:
        store.cancels.ask(["other"])

    store.workers.take_over(W2)

    assert state(store, "late") == "ready"


def test_a_cancelled_run_at_its_limit_is_cancelled_and_not_dead(store: Store) -> None:
    """Though it died alone (rule 8)."""
    join(store, W1, W2)
    at_the_limit(store, "alone")
    claim(store, W2, last_attempts="alone")
    store.cancels.ask(["alone"])

    store.workers.take_over(W2)

    assert state(store, "alone") == "cancelled"


def test_a_single_attempt_that_died_beside_others_is_tried_alone(store: Store) -> None:
    """It is not known who ended the worker."""
    join(store, W1, W2)
    store.apply(W2, [created("one", held_as=C1, max_attempts=1), created("other", held_as=C2)])
    store.workers.take_over(W2)
    join(store, W2)
    assert [run.run_id for run in claim(store, W1)] == ["other"]
    assert [run.run_id for run in claim(store, W2, last_attempts="alone")] == ["one"]
    store.workers.take_over(W2)
    assert state(store, "one") == "dead"


def test_a_parent_whose_children_ended_is_further_too(store: Store) -> None:
    """It records no step of its own while it waits: restarts of its worker must not make it dead (rule 11)."""
    join(store, W1, W2)
    store.apply(W1, [created("waits", held_as=C1, max_attempts=1), child("ended", "waits", C1, held_as=C2)])
    store.apply(W2, [created("kills", held_as=C3, max_attempts=1), child("open", "kills", C3)])
    store.apply(W1, [finished("ended", C2)])

    store.workers.take_over(W1)
    store.workers.take_over(W2)

    assert (state(store, "waits"), state(store, "kills")) == ("ready", "dead")


def test_a_cancel_passes_to_the_children_at_a_takeover(store: Store) -> None:
    """A terminal state set by a takeover does all that a finish does."""
    join(store, W1, W2)
    store.apply(W1, [created("p", held_as=C1), child("c", "p", C1)])
    store.cancels.ask(["p"])
    store.workers.take_over(W1)
    assert store.cancels.sweep() == ["c"]


def test_only_the_victims_runs_are_touched(store: Store) -> None:
    """The neighbours keep what they hold."""
    join(store, W1, W2)
    store.apply(W1, [created("r", held_as=C1)])
    store.apply(W2, [created("s", held_as=C2)])
    assert store.workers.take_over(W1) == ["r"]
    assert state(store, "s") == "held"


def test_one_taker_wins(store: Store) -> None:
    """The second finds no row and does nothing."""
    join(store, W1, W2)
    store.apply(W1, [created("r", held_as=C1)])
    assert store.workers.take_over(W1) == ["r"]
    assert store.workers.take_over(W1) is None


def test_a_worker_that_renewed_since_it_was_seen_is_not_taken_over(store: Store) -> None:
    """However long ago that was, by whichever clock (rule 10)."""
    join(store, W1, W2)
    store.apply(W1, [created("r", held_as=C1)])
    before = {row.worker_id: row.renewed_at for row in store.workers.all()}
    wait_until(lambda: store.workers.renew(W2) and store.workers.all() != [] and renewed_at(store, W2) != before[W2])
    assert store.workers.take_over(W2, seen=before[W2]) is None
    assert store.workers.take_over(W1, seen=before[W1]) == ["r"]


def renewed_at(store: Store, worker_id: str) -> float:
    """What its row says."""
    [found] = [row.renewed_at for row in store.workers.all() if row.worker_id == worker_id]
    return found


def test_a_worker_that_was_taken_over_joins_under_a_new_id(store: Store) -> None:
    """Nothing that it held before is its own any more."""
    join(store, W1)
    store.apply(W1, [created("r", held_as=C1)])
    store.workers.take_over(W1)
    with pytest.raises(Fenced):
        store.apply(W1, [recorded("r", C1)])
    join(store, W2)
    [verdict] = store.apply(W2, [recorded("r", C1)])
    assert verdict != Accepted()
    assert [run.run_id for run in claim(store, W2)] == ["r"]


def test_what_was_committed_before_the_takeover_is_in_the_next_history(store: Store) -> None:
    """The next holder goes on behind the last checkpoint."""
    join(store, W1, W2)
    store.apply(W1, [created("r", held_as=C1), recorded("r", C1, "1")])
    store.workers.take_over(W1)
    [run] = claim(store, W2)
    assert run.is_fresh is False
    assert [checkpoint.key for checkpoint in store.runs.histories(["r"])[0].checkpoints] == ["1"]


def test_a_run_that_kills_its_workers_dies_and_its_neighbours_do_not(store: Store) -> None:
    """Three attempts, the last one alone; the innocent run that was held beside it goes on (rule 11)."""
    join(store, W1)
    store.apply(W1, [created("poison", max_attempts=3), created("innocent", max_attempts=3)])
    while state(store, "poison") == "ready":
        join(store, W1, W2)
        claim(store, W1, names=[WORK]) or claim(store, W1, last_attempts="alone")
        held = [run_id for run_id in ("poison", "innocent") if state(store, run_id) == "held"]
        if held == ["innocent"]:
            store.reconcile(W1, [])
            claim(store, W1, last_attempts="alone")
        store.workers.take_over(W1)
    assert (state(store, "poison"), state(store, "innocent")) == ("dead", "ready")


def test_a_hand_back_costs_nothing_however_often(store: Store) -> None:
    """A run that is only carried around never dies of it."""
    join(store, W1)
    store.apply(W1, [created("r", max_attempts=2)])
    for _ in range(5):
        [run] = claim(store, W1)
        store.apply(W1, [released("r", run.claim)])
    assert (state(store, "r"), attempts(store, "r")) == ("ready", 0)
