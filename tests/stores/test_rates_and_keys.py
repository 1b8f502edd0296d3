"""Rates, keys and what overflows (rule 14): what a claim gives of a queue that has them."""

from __future__ import annotations

import pytest

from perdure._entries import SlotGiven
from perdure.stores.protocol import ClaimRequest, Store
from tests.stores.entries import W1, W2, W3, WORK, created, finished, fresh_claims, join, parked, released
from tests.stores.limiting import QUEUE, ask, fill, ids, limit, started


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Three workers have the right to write."""
    join(store, W1, W2, W3)


def test_a_rate_counts_starts_within_any_window(store: Store) -> None:
    """Ends make no room in it; the answer says when it opens, by the database's clock."""
    limit(store, rate=(3, 60.0))
    fill(store, *"abcdef")
    first = ask(store, W1, 2)
    assert (ids(first), first.short) == (["a", "b"], {})
    second = ask(store, W2)
    assert (ids(second), second.short) == (["c"], {QUEUE: "rate"})
    assert 50 < second.opens_in[QUEUE] <= 60
    store.apply(W1, [finished("a", first.runs[0].claim)])
    assert ask(store, W3).short == {QUEUE: "rate"}
    limit(store, rate=(4, 60.0))
    assert ids(ask(store, W3)) == ["d"]
    limit(store, rate=(4, 0.001))
    assert ids(ask(store, W3)) == ["e", "f"]


def test_a_window_opens_as_its_starts_leave_it(store: Store) -> None:
    """However often it is asked: never more than so many begin in any window."""
    limit(store, rate=(3, 0.1))
    fill(store, *[f"{number}" for number in range(12)])
    taken: list[str] = []
    while len(taken) < 12:
        taken += ids(ask(store, W1, 2))
    moments = sorted(started(store, run_id) for run_id in taken)
    assert all(later - earlier > 0.1 for earlier, later in zip(moments, moments[3:], strict=False))


@pytest.mark.parametrize("key", [None, "a"])
@pytest.mark.parametrize("is_taken_away", [False, True])
def test_a_longer_window_counts_no_more_than_the_one_before_it_had(
    store: Store, key: str | None, is_taken_away: bool
) -> None:
    """When what that had forgotten began is not known: all that ever did would hold the queue for its length."""
    rate = "rate" if key is None else "key_rate"
    limit(store, **{rate: (3, 0.02)})
    fill(store, *[f"{number}" for number in range(20)], flow_key=key)
    taken: list[str] = []
    while len(taken) < 12:
        taken += ids(ask(store, W1, 3))
    if is_taken_away:
        limit(store, **{rate: None})
    limit(store, **{rate: (4, 60.0)})
    more = ids(ask(store, W2))
    assert 1 <= len(more) <= 4
    assert ask(store, W2).short == {QUEUE: "rate"}


def test_what_goes_on_is_no_start_and_what_follows_a_death_is_one(store: Store) -> None:
    """A run that was parked or handed back has been counted; after a death it is counted again."""
    limit(store, rate=(3, 60.0))
    fill(store, "a", "b", "c")
    [first] = ask(store, W1, 1).runs
    store.apply(W1, [parked("a", first.claim, due_at=1.0)])
    [again] = ask(store, W1, 1).runs
    store.apply(W1, [released("a", again.claim)])
    assert ids(ask(store, W1, 1)) == ["a"]
    store.workers.take_over(W1)
    assert ids(ask(store, W2)) == ["a", "b"]  # three starts: the first, that after the death, and b's
    assert ask(store, W2).short == {QUEUE: "rate"}


def test_each_key_has_its_own_limit(store: Store) -> None:
    """One that is full holds nobody up; its end makes room for its next."""
    limit(store, key_concurrency=2)
    fill(store, *[f"a{number}" for number in range(5)], flow_key="a")
    fill(store, *[f"b{number}" for number in range(3)], flow_key="b")
    first = ask(store, W1)
    assert sorted(ids(first)) == ["a0", "a1", "b0", "b1"]
    assert (ids(ask(store, W2)), ask(store, W2).short) == ([], {QUEUE: "full"})
    ended = next(run for run in first.runs if run.run_id == "a1")
    store.apply(W1, [finished("a1", ended.claim)])
    assert ids(ask(store, W2)) == ["a2"]
    store.workers.take_over(W1)
    taken: list[str] = []
    while found := ids(ask(store, W3)):
        taken += found
    assert sorted(taken) == ["a0", "b0", "b1"]


def test_keys_take_turns(store: Store) -> None:
    """Who has much waits no less for it than who has little; priority orders within a key."""
    fill(store, *[f"a{number}" for number in range(20)], flow_key="a")
    fill(store, "urgent", flow_key="a", priority=-1)
    fill(store, "b0", "b1", flow_key="b")
    fill(store, "c0", flow_key="c")
    fill(store, "plain0", "plain1")
    taken = [run_id for _ in range(8) for run_id in ids(ask(store, W1, 1))]
    assert sorted(taken) == sorted(["urgent", "a0", "a1", "b0", "b1", "c0", "plain0", "plain1"])
    assert taken.index("urgent") < taken.index("a0") < taken.index("a1")
    many = ids(ask(store, W1, 6))
    assert many == [f"a{number}" for number in range(2, 8)]


def test_a_key_whose_runs_only_others_know_stays_in_line(store: Store) -> None:
    """Who does not know the function takes nobody's turn away."""
    fill(store, "theirs", flow_key="k", name="app:other")
    for _ in range(3):
        assert ask(store, W1).runs == []
    request = ClaimRequest({QUEUE: 5}, ["app:other"])
    assert ids(store.claim(W2, request, fresh_claims(5))) == ["theirs"]


def test_each_key_has_its_own_window(store: Store) -> None:
    """Whose window is full sleeps until it opens, and the answer says when."""
    limit(store, key_rate=(2, 60.0))
    fill(store, *[f"a{number}" for number in range(4)], flow_key="a")
    fill(store, "b0", flow_key="b")
    assert sorted(ids(ask(store, W1))) == ["a0", "a1", "b0"]
    answer = ask(store, W2)
    assert (answer.runs, answer.short) == ([], {QUEUE: "rate"})
    assert 50 < answer.opens_in[QUEUE] <= 60
    at = store.pulse(W1, [QUEUE], [WORK]).next_due_at
    assert at is not None
    assert 50 < at - started(store, "a0") <= 60.1
    fill(store, "b1", flow_key="b")
    assert ids(ask(store, W2)) == ["b1"]
    limit(store, key_rate=(3, 60.0))
    assert ids(ask(store, W2)) == ["a2"]
    limit(store, key_rate=None)
    assert ids(ask(store, W2)) == ["a3"]


def test_a_long_line_that_has_left_keeps_nobody_out(store: Store) -> None:
    """Keys that wait for a slot or a window while thousands are served before them: they come when there is one."""
    limit(store, key_concurrency=1)
    fill(store, "full", "later", flow_key="full")
    [full] = ask(store, W1).runs
    serve_others(store, "first")
    limit(store, key_concurrency=None, key_rate=(1, 3600.0))
    fill(store, "slept", "woken", flow_key="asleep")
    assert set(ids(ask(store, W2, 1000))) == {"later", "slept"}
    serve_others(store, "second")
    limit(store, key_rate=(2, 3600.0))
    assert ids(ask(store, W3)) == ["woken"]
    store.apply(W1, [finished("full", full.claim)])
    fill(store, "last", flow_key="full")
    limit(store, key_rate=None)
    assert ids(ask(store, W3)) == ["last"]


def test_a_claim_that_has_not_read_all_that_was_stirred_is_not_the_last(store: Store) -> None:
    """It finds nothing, and does not say that there is nothing."""
    limit(store, key_concurrency=1)
    others = [created(f"{number}", queue=QUEUE, name="app:other", flow_key=f"{number}") for number in range(1100)]
    store.create([*others, created("mine", queue=QUEUE, flow_key="mine")])
    first = ask(store, W1)
    assert (ids(first), first.short) == ([], {})


def serve_others(store: Store, name: str, count: int = 1200) -> None:
    """So many keys have a run each, which all begin and end."""
    store.create([created(f"{name} {number}", queue=QUEUE, flow_key=f"{name} {number}") for number in range(count)])
    served = 0
    while claimed := ask(store, W3, 400).runs:
        store.apply(W3, [finished(run.run_id, run.claim) for run in claimed])
        served += len(claimed)
    assert served == count


def test_keys_and_the_queue_are_limited_together(store: Store) -> None:
    """The tighter one decides."""
    limit(store, concurrency=3, key_concurrency=2)
    for key in "abc":
        fill(store, *[f"{key}{number}" for number in range(3)], flow_key=key)
    taken: list[str] = []
    while found := ids(ask(store, W1)):
        taken += found
    assert len(taken) == 3
    assert max(sum(run_id[0] == key for run_id in taken) for key in "abc") <= 2


def test_a_run_with_a_key_that_waits_makes_room_in_its_key(store: Store) -> None:
    """Its child has the same key, which has one place."""
    limit(store, key_concurrency=1)
    fill(store, "parent", "child", "other", flow_key="k")
    [parent] = ask(store, W1).runs
    store.apply(W1, [SlotGiven("parent", parent.claim)])
    [child] = ask(store, W2).runs
    assert (child.run_id, ask(store, W1, resuming=[parent.claim]).resumed) == ("child", set())
    store.apply(W2, [finished("child", child.claim)])
    assert ask(store, W2).runs == []
    assert ask(store, W1, resuming=[parent.claim]).resumed == {parent.claim}


def test_delayed_runs_with_keys_come_in_their_time(store: Store) -> None:
    """And sleepers, whoever they belong to."""
    fill(store, "late", flow_key="k", due_at=1.0)
    [late] = ask(store, W1).runs
    store.apply(W1, [parked("late", late.claim, due_at=2.0)])
    assert store.pulse(W1, [QUEUE], [WORK]).has_claimable
    assert ids(ask(store, W1)) == ["late"]


def test_a_lost_stir_is_healed(store: Store) -> None:
    """By whoever keeps house, a thousand keys a round."""
    fill(store, *"ab", flow_key="k")
    [first] = ask(store, W1, 1).runs
    limit(store, key_concurrency=1)
    assert ask(store, W1).runs == []
    limit(store, key_concurrency=None)
    assert store.limits.heal(QUEUE, "") is None
    assert ids(ask(store, W1)) == ["b"]
    assert first.run_id == "a"


def test_the_newest_are_cancelled_where_there_is_no_room(store: Store) -> None:
    """What has begun goes on; who waits for such a run is told how it ended."""
    limit(store, concurrency=2, on_overflow="cancel_newest")
    fill(store, *"abcd")
    claimed = ask(store, W1)
    assert (ids(claimed), sorted(claimed.ended)) == (["a", "b"], ["c", "d"])
    assert [(one.run_id, one.state) for one in store.runs.ended(["c", "d"])] == [("c", "cancelled"), ("d", "cancelled")]
    store.apply(W1, [parked("a", claimed.runs[0].claim, due_at=1.0)])
    fill(store, "e")
    later = ask(store, W2)
    assert ids(later) + later.ended == ["a", "e"]


def test_the_oldest_are_cancelled_for_newer_ones(store: Store) -> None:
    """As many as wait, of the same key; those that end already are not asked twice."""
    limit(store, key_concurrency=1, on_overflow="cancel_running")
    fill(store, "a0", flow_key="a")
    fill(store, "b0", flow_key="b")
    first = ask(store, W1)
    assert sorted(ids(first)) == ["a0", "b0"]
    fill(store, "a1", flow_key="a")
    assert ask(store, W2).has_cancelled
    assert [told.run_id for told in store.hear(W1, ()).told if told.is_cancelled] == ["a0"]
    assert not ask(store, W2).has_cancelled
    old = next(run for run in first.runs if run.run_id == "a0")
    store.apply(W1, [finished("a0", old.claim, "cancelled", None)])
    why = f"overflow: the queue {QUEUE} was full (on_overflow=cancel_running)"
    assert store.runs.row("a0").reason == why
    assert [(row.who, row.action, row.detail) for row in store.steering.audited("a0", 5)] == [
        (f"queue {QUEUE}", "cancel", why)
    ]
    assert ids(ask(store, W2)) == ["a1"]
