"""The contract of `pause` and `resume`: a paused run goes nowhere until it is resumed, whatever happens meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from perdure._steering import By
from perdure.stores.protocol import Store
from tests.stores.entries import (
    C1,
    C2,
    C3,
    W1,
    W2,
    OpenAnother,
    child,
    claim,
    created,
    finished,
    fresh_claims,
    join,
    parked,
    released,
    sent,
    state,
)

ME = By("somebody", "for a test")


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def stopped(store: Store, run_id: str = "r") -> str | None:
    """Why the run does not go on."""
    row = store.runs.row(run_id)
    assert row is not None
    return row.stopped


def read_all(store: Store) -> None:
    """Look until nothing is told to anybody."""
    while store.hear(W1, ()).has_read:
        pass


def test_a_run_that_nobody_holds_is_paused_at_once(store: Store) -> None:
    """It is not claimed until it is resumed, and then at once."""
    store.create([created("r"), created("other")])
    assert store.steering.pause(["r", "nobody"], ME) == ["r"]
    assert (state(store, "r"), stopped(store)) == ("parked", "paused")
    assert [run.run_id for run in claim(store, W1)] == ["other"]
    assert store.steering.resume(["r", "other", "nobody"], ME) == ["r"]
    assert [run.run_id for run in claim(store, W1)] == ["r"]


def test_what_it_waits_for_does_not_wake_a_paused_run(store: Store) -> None:
    """A time, a child, a message; when it is resumed they do."""
    store.apply(W1, [created("p", held_as=C1), child("c", "p", C1, held_as=C2), created("s", held_as=C3)])
    store.apply(W1, [parked("p", C1, children_seen=0), parked("s", C3, due_at=0.0)])
    store.steering.pause(["p", "s"], ME)
    store.apply(W1, [finished("c", C2)])
    read_all(store)
    assert claim(store, W1) == []
    store.steering.resume(["p", "s"], ME)
    read_all(store)
    assert {run.run_id for run in claim(store, W1)} == {"p", "s"}


def test_a_resumed_run_waits_for_what_it_waited_for(store: Store) -> None:
    """Whose time has not come sleeps on, a delayed one is delayed."""
    store.create([created("r", delay_seconds=3600.0)])
    store.apply(W1, [created("p", held_as=C1), child("c", "p", C1, held_as=C2)])
    store.apply(W1, [parked("p", C1, children_seen=0)])
    store.steering.pause(["p", "r"], ME)
    store.steering.resume(["p", "r"], ME)
    assert claim(store, W1) == []
    store.apply(W1, [finished("c", C2)])
    read_all(store)
    assert [run.run_id for run in claim(store, W1)] == ["p"]


def test_a_held_run_is_told_until_it_has_stopped(store: Store) -> None:
    """Its holder parks it; nothing of its row changes before (rule 15)."""
    store.apply(W1, [created("r", held_as=C1)])
    assert store.steering.pause(["r"], ME) == ["r"]
    [told] = store.hear(W1, ()).told
    assert (told.run_id, told.is_cancelled, told.is_paused) == ("r", False, True)
    assert store.hear(W1, ()).told == [told]
    assert state(store, "r") == "held"
    store.apply(W1, [parked("r", C1, stopped="paused")])
    read_all(store)
    assert (state(store, "r"), stopped(store)) == ("parked", "paused")
    assert store.hear(W1, ()).told == []


def test_a_pause_outlives_its_holder(store: Store) -> None:
    """However the run comes out of its hands: nobody claims it."""
    for number, let_go in enumerate(("released", "takeover", "leave")):
        run_id, holder = f"r{number}", fresh_claims(1)[0]
        store.apply(W1, [created(run_id, held_as=holder)])
        store.steering.pause([run_id], ME)
        if let_go == "released":
            store.apply(W1, [released(run_id, holder)])
            store.hear(W1, ())
        elif let_go == "takeover":
            assert store.workers.take_over(W1) == [run_id]
            join(store, W1)
        else:
            store.workers.leave(W1)
            join(store, W1)
        assert claim(store, W2) == []
        assert stopped(store, run_id) == "paused"


def test_a_resume_before_the_holder_has_stopped_lets_the_run_go_on(store: Store) -> None:
    """It parks all the same, and is ready again."""
    store.apply(W1, [created("r", held_as=C1)])
    store.steering.pause(["r"], ME)
    assert store.steering.resume(["r"], ME) == ["r"]
    store.apply(W1, [parked("r", C1, stopped="paused")])
    assert [run.run_id for run in claim(store, W1)] == ["r"]


def test_pauses_are_counted_once(store: Store) -> None:
    """A second one changes nothing, and one resume ends both; what has ended, or is not paused, is in no answer."""
    store.apply(W1, [created("r"), created("over", held_as=C1), finished("over", C1)])
    assert store.steering.pause(["r", "over"], ME) == ["r"]
    assert store.steering.pause(["r"], ME) == ["r"]
    assert store.steering.resume(["r"], ME) == ["r"]
    assert store.steering.resume(["r"], ME) == []
    assert state(store, "r") == "ready"


def test_a_cancel_ends_a_paused_run(store: Store) -> None:
    """In whichever order they come."""
    store.create([created("r"), created("s")])
    store.steering.pause(["r"], ME)
    store.cancels.ask(["r"])
    store.cancels.ask(["s"])
    store.steering.pause(["s"], ME)
    store.cancels.sweep()
    assert (state(store, "r"), state(store, "s")) == ("cancelled", "cancelled")


def test_a_pause_stops_what_waits_for_a_mend(store: Store) -> None:
    """New code does not wake it; a resume does."""
    store.apply(W1, [created("r", held_as=C1), parked("r", C1, stopped="mend", reason="other code")])
    store.steering.pause(["r"], ME)
    assert store.mending.mend(["app:work"]) == []
    store.steering.resume(["r"], ME)
    assert [run.run_id for run in claim(store, W1)] == ["r"]


def test_who_has_steered_a_run_is_kept(store: Store) -> None:
    """In order, with what was said; of runs that were not touched nothing."""
    store.create([created("r"), created("s")])
    store.steering.pause(["r"], ME)
    store.steering.resume(["r", "s"], By("another"))
    audited = [row[1:] for row in store.steering.audited("r", 10)]
    assert audited == [("somebody", "pause", "for a test"), ("another", "resume", None)]
    assert store.steering.audited("s", 10) == []


def race(store: Store, open_another: OpenAnother, rounds: int) -> None:
    """Pauses, resumes, claims, parks and messages at the same time; after the last resume each run ends."""
    run_ids = [f"r{number}" for number in range(rounds)]
    store.create([created(run_id) for run_id in run_ids])

    def steer() -> None:
        mine = open_another()
        for run_id in run_ids:
            mine.steering.pause([run_id], ME)
            mine.apply(W2, [sent(run_id, f"to {run_id}")])
            mine.steering.resume([run_id], ME)

    def work() -> None:
        mine = open_another()
        waiting = set(run_ids)
        while waiting:
            mine.hear(W1, [told.seq for told in mine.hear(W1, ()).told])
            for run in claim(mine, W1, 20):
                if run.attempts == 1 and not run.is_fresh:
                    mine.apply(W1, [finished(run.run_id, run.claim)])
                    waiting.discard(run.run_id)
                else:
                    mine.apply(W1, [parked(run.run_id, run.claim, stopped="paused")])

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(steer), pool.submit(work)]:
            done.result(timeout=300)
    assert {state(store, run_id) for run_id in run_ids} == {"succeeded"}


def test_a_resume_is_never_lost(store: Store, open_another: OpenAnother) -> None:
    """Raced against the pause, the claim and the park that it ends."""
    race(store, open_another, 25)


@pytest.mark.long
def test_a_resume_is_never_lost_thousands_of_times(store: Store, open_another: OpenAnother) -> None:
    """The same, for long."""
    race(store, open_another, 2_000)
