"""The contract of `claim` and `reconcile`: who gets which runs, in which order, at which attempt."""

from __future__ import annotations

import time

import pytest

from perdure._entries import Stored
from perdure.stores.protocol import ClaimRequest, Store
from tests.stores.entries import (
    C1,
    C2,
    C3,
    W1,
    W2,
    W3,
    WORK,
    child,
    claim,
    claim_one,
    created,
    finished,
    fresh_claims,
    join,
    parked,
    recorded,
    released,
    state,
)


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def ids(store: Store, slots: int = 10, **options: str) -> list[str]:
    """The ids that a claim gets."""
    return [run.run_id for run in claim(store, W1, slots, **options)]


def test_a_claimed_run_is_complete(store: Store) -> None:
    """A claim brings all that is needed to execute: no further reading for a fresh run."""
    store.apply(W1, [created("p", held_as=C1)])
    store.apply(W1, [child("r", "p", C1, kind="step", queue="q", priority=3, max_attempts=7)])
    [run] = claim(store, W2, queue="q")
    assert (run.run_id, run.kind, run.name, run.queue, run.priority) == ("r", "step", WORK, "q", 3)
    assert (run.input, run.attempts, run.max_attempts) == (Stored("json", '["r"]'), 1, 7)
    assert (run.is_fresh, run.parent_id, run.parent_key, run.is_cancelled) == (True, "p", "key of r", False)
    assert state(store, "r") == "held"


def test_runs_are_claimed_by_priority_then_age(store: Store) -> None:
    """Lower priority goes first; equals go in order of creation."""
    store.apply(W1, [created("a", priority=1), created("b"), created("c", priority=-1), created("d")])
    assert ids(store) == ["c", "b", "d", "a"]


def test_a_claim_takes_no_more_than_its_slots(store: Store) -> None:
    """Slots are counted for each queue."""
    store.apply(W1, [created(f"{queue}{n}", queue=queue) for n in range(5) for queue in ("x", "y", "z")])
    runs = store.claim(W1, ClaimRequest({"x": 2, "y": 3, "z": 0}, [WORK]), fresh_claims(5)).runs
    assert sorted(run.run_id for run in runs) == ["x0", "x1", "y0", "y1", "y2"]
    assert len({run.claim for run in runs}) == 5


def test_a_run_is_claimed_once(store: Store) -> None:
    """What one worker holds, no other gets."""
    store.apply(W1, [created("r")])
    claim_one(store, W1, "r")
    assert claim(store, W2) == []


def test_only_known_functions_and_wanted_queues_are_claimed(store: Store) -> None:
    """Unregistered code stays where it is and blocks nobody behind it."""
    store.apply(W1, [created("unknown", name="app:gone"), created("elsewhere", queue="q"), created("r")])
    assert ids(store) == ["r"]
    assert (state(store, "unknown"), state(store, "elsewhere")) == ("ready", "ready")


def test_a_delayed_run_waits_until_it_is_due(store: Store) -> None:
    """Due is judged by the database's clock."""
    store.apply(W1, [created("late", due_at=time.time() + 3600), created("due", due_at=time.time() - 3600)])
    assert ids(store) == ["due"]


def test_a_delayed_run_that_is_due_keeps_its_place(store: Store) -> None:
    """Priority and age decide among what is due."""
    past = time.time() - 3600
    store.apply(W1, [created("a", due_at=past, priority=1), created("b", priority=0), created("c", due_at=past - 9)])
    assert ids(store) == ["b", "c", "a"]


def test_a_sleeper_wakes_when_it_is_due(store: Store) -> None:
    """A parked run is claimable once its time has come, and not before."""
    store.apply(W1, [created("r", held_as=C1), created("s", held_as=C2)])
    store.apply(W1, [parked("r", C1, due_at=time.time() - 1), parked("s", C2, due_at=time.time() + 3600)])
    [run] = claim(store, W1)
    assert (run.run_id, run.is_fresh) == ("r", False)


def test_a_claim_says_when_it_was_by_the_databases_clock(store: Store) -> None:
    """What the database has woken is due: its holder, whose clock may be behind, must not think otherwise."""
    store.apply(W1, [created("r", held_as=C1), created("fresh")])
    due_at = time.time() - 0.5
    store.apply(W1, [parked("r", C1, due_at=due_at)])
    for run in claim(store, W1):
        assert due_at <= run.claimed_at <= time.time() + 60


def test_a_parent_wakes_when_more_children_have_ended_than_it_saw(store: Store) -> None:
    """The answer is looked up in the claim, whichever came first, the park or the child's end (rule 7)."""
    store.apply(W1, [created("p", held_as=C1), child("a", "p", C1, held_as=C2), child("b", "p", C1, held_as=C3)])
    store.apply(W1, [finished("a", C2), parked("p", C1, children_seen=1)])
    assert ids(store) == []
    store.apply(W1, [finished("b", C3)])
    assert ids(store) == ["p"]


def test_a_child_that_ended_before_the_park_wakes_too(store: Store) -> None:
    """No wake-up is lost between looking and parking."""
    store.apply(W1, [created("p", held_as=C1), child("a", "p", C1, held_as=C2)])
    store.apply(W1, [finished("a", C2, "failed"), parked("p", C1, children_seen=0)])
    assert ids(store) == ["p"]


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_a_run_wakes_when_one_that_it_waits_for_ends(store: Store, end: str) -> None:
    """Any end of any of the awaited runs is enough, also of a stranger."""
    store.apply(W1, [created("r", held_as=C1), created("a", held_as=C2), created("b", held_as=C3)])
    store.apply(W1, [parked("r", C1, runs=("a", "b"))])
    assert ids(store) == []
    if end == "cancelled":
        store.cancels.ask(["b"])
    store.apply(W1, [finished("b", C3, end)])
    assert ids(store) == ["r"]


def test_a_dead_child_wakes_its_parent(store: Store) -> None:
    """A terminal state set by a takeover does all that a finish does (rule 3)."""
    join(store, W3)
    store.apply(W1, [created("p", held_as=C1), child("a", "p", C1, max_attempts=1)])
    claim_one(store, W3, "a")
    store.apply(W1, [parked("p", C1, runs=("a",))])
    store.workers.take_over(W3)
    assert state(store, "a") == "dead"
    assert ids(store) == ["p"]


def test_a_run_that_needs_a_mend_is_not_claimed(store: Store) -> None:
    """Neither time nor children wake it: only new code does."""
    store.apply(W1, [created("r", held_as=C1)])
    store.apply(W1, [parked("r", C1, stopped="mend", reason="differs", due_at=1.0)])
    assert ids(store) == []
    assert store.mending.mend(["app:other"]) == []
    assert store.mending.mend([WORK]) == ["r"]
    assert ids(store) == ["r"]


def test_a_parked_run_with_a_cancel_is_left_to_the_sweep(store: Store) -> None:
    """Cancelling what nobody holds needs nobody's code."""
    store.apply(W1, [created("r", held_as=C1)])
    store.apply(W1, [parked("r", C1, due_at=1.0)])
    store.cancels.ask(["r"])
    assert ids(store) == []
    assert store.cancels.sweep() == ["r"]


def test_a_ready_run_with_a_cancel_says_so_when_it_is_claimed(store: Store) -> None:
    """The holder must not start a body of a run that is already cancelled."""
    store.apply(W1, [created("r")])
    store.cancels.ask(["r"])
    assert [run.is_cancelled for run in claim(store, W1)] in ([True], [])


def test_an_attempt_is_charged_at_the_claim(store: Store) -> None:
    """Once, and once more after a takeover, whose attempt stays charged (rule 11)."""
    store.apply(W1, [created("r")])
    [first] = claim(store, W1)
    store.workers.take_over(W1)
    [second] = claim(store, W2)
    assert (first.attempts, second.attempts, second.is_fresh) == (1, 2, False)


def test_the_count_starts_anew_when_steps_were_recorded(store: Store) -> None:
    """A run that gets further each time may be interrupted as often as it takes."""
    store.apply(W1, [created("r", held_as=C1, max_attempts=3)])
    store.apply(W1, [recorded("r", C1, "1")])
    store.apply(W1, [released("r", C1, charged=True)])
    assert [run.attempts for run in claim(store, W1)] == [1]


def test_values_and_sleeps_do_not_start_the_count_anew(store: Store) -> None:
    """A poison run that only reads the clock must come to its end."""
    store.apply(W1, [created("r", held_as=C1, max_attempts=3)])
    store.apply(W1, [recorded("r", C1, "1", kind="value"), recorded("r", C1, "2", kind="sleep")])
    store.apply(W1, [released("r", C1, charged=True)])
    assert [run.attempts for run in claim(store, W1)] == [2]


def at_the_last_attempt(store: Store, run_id: str) -> None:
    """A run whose next attempt is its last."""
    store.apply(W1, [created(run_id, held_as=(taken := fresh_claims(1)[0]), max_attempts=2)])
    store.apply(W1, [released(run_id, taken, charged=True)])


def test_the_last_attempt_is_not_claimed_among_others(store: Store) -> None:
    """Innocent neighbours of a run that kills its worker must not be charged for it (rule 11)."""
    at_the_last_attempt(store, "poison")
    store.apply(W1, [created("r")])
    assert ids(store) == ["r"]


def test_the_last_attempt_is_claimed_alone(store: Store) -> None:
    """One such run at a time, by a worker that holds nothing else."""
    at_the_last_attempt(store, "poison")
    at_the_last_attempt(store, "other poison")
    store.apply(W1, [created("r", held_as=C1)])
    assert claim(store, W1, last_attempts="alone") == []
    assert [(run.run_id, run.attempts) for run in claim(store, W2, last_attempts="alone")] == [("poison", 2)]
    assert claim(store, W2, last_attempts="alone") == []


def test_only_last_attempts_are_claimed_alone(store: Store) -> None:
    """`alone` is for them and for nothing else."""
    store.apply(W1, [created("r")])
    assert claim(store, W1, last_attempts="alone") == []


def test_the_last_attempt_of_a_run_that_got_further_is_an_ordinary_one(store: Store) -> None:
    """Its count starts anew, so it is not at the last."""
    store.apply(W1, [created("r", held_as=C1, max_attempts=2)])
    store.apply(W1, [recorded("r", C1), released("r", C1, charged=True)])
    assert ids(store) == ["r"]


def test_a_run_with_a_single_attempt_is_claimed_as_any_other(store: Store) -> None:
    """The first attempt of a fresh run is never `alone`."""
    store.apply(W1, [created("r", max_attempts=1)])
    assert ids(store) == ["r"]


def test_reconcile_hands_back_what_memory_does_not_know(store: Store) -> None:
    """A claim whose reply was lost must not stay held for ever (rule 5); its attempt is not charged."""
    store.apply(W1, [created("known"), created("lost"), created("other")])
    claim(store, W1, 2)
    claim(store, W2)
    assert store.reconcile(W1, ["known"]) == ["lost"]
    run = store.runs.row("lost")
    assert run is not None
    assert (run.state, run.attempts) == ("ready", 0)
    assert (state(store, "known"), state(store, "other")) == ("held", "held")
    assert store.reconcile(W1, ["known"]) == []


def test_what_is_handed_back_keeps_its_place(store: Store) -> None:
    """First in, first out holds across a hand-back."""
    store.apply(W1, [created("a"), created("b")])
    claim(store, W1, 1)
    store.reconcile(W1, [])
    assert ids(store) == ["a", "b"]


def test_a_reason_is_written_on_unknown_functions_once(store: Store) -> None:
    """People see why a run waits; the first explanation stays, known functions get none."""
    store.apply(
        W1, [created("unknown", name="app:gone"), created("known"), created("elsewhere", queue="q", name="x:y")]
    )
    store.mending.explain_unknown([""], [WORK], "no worker knows app:gone")
    store.mending.explain_unknown([""], [WORK], "another reason")
    reasons = {run_id: run.reason for run_id in ("unknown", "known", "elsewhere") if (run := store.runs.row(run_id))}
    assert reasons == {"unknown": "no worker knows app:gone", "known": None, "elsewhere": None}
