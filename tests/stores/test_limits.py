"""The limits of a queue hold for all workers together (rule 14): what a claim gives, and why not more."""

from __future__ import annotations

import pytest

from perdure._entries import Accepted, Refused, SlotGiven
from perdure.stores.protocol import ClaimRequest, Store
from tests.stores.entries import C1, W1, W2, W3, WORK, created, finished, fresh_claims, join, parked, released, state
from tests.stores.limiting import QUEUE, ask, fill, ids, limit


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Three workers have the right to write."""
    join(store, W1, W2, W3)


def test_concurrency_holds_for_all_workers(store: Store) -> None:
    """What one holds is room that another one does not have; an end makes room."""
    limit(store, concurrency=3)
    fill(store, *"abcdef")
    first = ask(store, W1, 2)
    assert ids(first) == ["a", "b"]
    assert first.short == {}
    second = ask(store, W2)
    assert ids(second) == ["c"]
    assert second.short == {QUEUE: "full"}
    assert ask(store, W3).short == {QUEUE: "full"}
    store.apply(W1, [finished("a", first.runs[0].claim)])
    assert ids(ask(store, W3)) == ["d"]
    store.apply(W1, [parked("b", first.runs[1].claim, due_at=9e9)])
    assert ids(ask(store, W3)) == ["e"]
    store.apply(W2, [released("c", second.runs[0].claim)])
    assert ids(ask(store, W3)) == ["c"]


def test_the_death_of_a_holder_makes_room(store: Store) -> None:
    """Without any repair: a slot is a row of a run that is held."""
    limit(store, concurrency=2)
    fill(store, *"abcd")
    assert ids(ask(store, W1)) == ["a", "b"]
    assert store.workers.take_over(W1) is not None
    assert ids(ask(store, W2)) == ["a", "b"]
    store.workers.leave(W2)
    assert ids(ask(store, W3)) == ["a", "b"]
    store.reconcile(W3, ["a"])
    join(store, W1)
    assert ids(ask(store, W1)) == ["b"]


@pytest.mark.parametrize("before", ["a rate", "keys"])
def test_what_was_held_before_the_first_limit_counts_for_every_later_one(store: Store, before: str) -> None:
    """Whatever was limited in between."""
    fill(store, "a")
    [run] = ask(store, W1).runs
    if before == "keys":
        fill(store, "b", flow_key="k")
    else:
        limit(store, rate=(100, 60.0))
        fill(store, "b")
    limit(store, concurrency=1)
    assert ask(store, W2).short == {QUEUE: "full"}
    store.apply(W1, [finished("a", run.claim)])
    assert ids(ask(store, W2)) == ["b"]


def test_a_run_that_asked_in_vain_counts_when_there_is_a_limit_again(store: Store) -> None:
    """While there was none it has gone on; nobody else that goes on has its slot."""
    limit(store, concurrency=1)
    fill(store, "a", "b")
    [first] = ask(store, W1).runs
    store.apply(W1, [SlotGiven("a", first.claim)])
    [second] = ask(store, W2).runs
    assert ask(store, W1, 0, resuming=[first.claim]).resumed == set()
    limit(store, concurrency=None)
    assert ask(store, W1, 0, resuming=[first.claim]).resumed == {first.claim}
    limit(store, concurrency=1)
    store.apply(W2, [SlotGiven("b", second.claim)])
    assert ask(store, W2, 0, resuming=[second.claim]).resumed == set()


def test_other_queues_have_nothing_to_do_with_it(store: Store) -> None:
    """Limits are those of one queue; a claim of several gives each its own."""
    limit(store, concurrency=1)
    fill(store, "a", "b")
    store.create([created("c", queue="free"), created("d", queue="free")])
    claimed = store.claim(W1, ClaimRequest({"free": 5, QUEUE: 5}, [WORK]), fresh_claims(10))
    assert sorted(ids(claimed)) == ["a", "c", "d"]
    assert claimed.short == {"free": "empty", QUEUE: "full"}


def test_a_run_that_waits_gives_its_slot_back(store: Store) -> None:
    """And has it again before anything new begins, in whatever process that asks."""
    limit(store, concurrency=1)
    fill(store, "parent", "child", "other")
    [parent] = ask(store, W1).runs
    assert store.apply(W1, [SlotGiven("parent", parent.claim)]) == [Accepted()]
    assert state(store, "parent") == "held"
    [child] = ask(store, W2).runs
    assert child.run_id == "child"
    assert ask(store, W1, resuming=[parent.claim]).resumed == set()
    store.apply(W2, [finished("child", child.claim)])
    assert ask(store, W2).short == {QUEUE: "full"}  # the slot is for who goes on
    answer = ask(store, W1, resuming=[parent.claim])
    assert answer.resumed == {parent.claim}
    assert answer.runs == []
    assert ask(store, W1, 0, resuming=[parent.claim]).resumed == {parent.claim}  # as after a lost reply
    store.apply(W1, [finished("parent", parent.claim)])
    assert ids(ask(store, W2)) == ["other"]


def test_who_asks_for_a_slot_and_waits_again_asks_no_more(store: Store) -> None:
    """To give the slot back takes the asking back, too."""
    limit(store, concurrency=1)
    fill(store, "parent", "child", "other")
    [parent] = ask(store, W1).runs
    store.apply(W1, [SlotGiven("parent", parent.claim)])
    [child] = ask(store, W2).runs
    ask(store, W1, resuming=[parent.claim])
    store.apply(W1, [SlotGiven("parent", parent.claim), SlotGiven("parent", parent.claim)])
    store.apply(W2, [finished("child", child.claim)])
    assert ids(ask(store, W2)) == ["other"]


def test_a_slot_is_given_only_under_its_claim(store: Store) -> None:
    """An entry of a claim that is over is refused, and those beside it are written."""
    limit(store, concurrency=1)
    fill(store, "a")
    [run] = ask(store, W1).runs
    store.apply(W1, [released("a", run.claim)])
    verdicts = store.apply(W1, [SlotGiven("a", run.claim), created("b", held_as=C1)])
    assert isinstance(verdicts[0], Refused)
    assert verdicts[1] == Accepted()


def test_without_limits_whoever_goes_on_has_a_slot(store: Store) -> None:
    """As where somebody has taken the limit away meanwhile."""
    fill(store, "a")
    [run] = ask(store, W1).runs
    assert ask(store, W1, 0, resuming=[run.claim]).resumed == {run.claim}


def test_a_limit_counts_what_is_held_already(store: Store) -> None:
    """It can be set, raised and taken away while the queue is worked on."""
    fill(store, *"abcdefgh")
    assert ids(ask(store, W1, 2)) == ["a", "b"]
    limit(store, concurrency=3)
    assert ids(ask(store, W2)) == ["c"]
    limit(store, concurrency=1)
    assert ask(store, W2).short == {QUEUE: "full"}
    limit(store, concurrency=5)
    assert ids(ask(store, W2)) == ["d", "e"]
    limit(store, concurrency=None)
    assert ids(ask(store, W2)) == ["f", "g", "h"]


def test_a_paused_queue_gives_nothing_new(store: Store) -> None:
    """Runs that have begun go on; and it goes on where it was."""
    limit(store, concurrency=2)
    fill(store, "a", "b")
    [run] = ask(store, W1, 1).runs
    limit(store, paused=True)
    store.apply(W1, [SlotGiven("a", run.claim)])
    answer = ask(store, W1, resuming=[run.claim])
    assert answer.short == {QUEUE: "paused"}
    assert answer.resumed == {run.claim}
    limit(store, paused=False)
    assert ids(ask(store, W1)) == ["b"]


def test_runs_of_a_paused_function_do_not_begin(store: Store) -> None:
    """Those of others do; the pulse tells who is paused."""
    fill(store, "a")
    store.create([created("b", queue=QUEUE, name="app:other")])
    store.limits.pause(WORK, is_paused=True)
    request = ClaimRequest({QUEUE: 5}, [WORK, "app:other"])
    assert ids(store.claim(W1, request, fresh_claims(5))) == ["b"]
    assert store.pulse(W1, [QUEUE], [WORK]).paused == {WORK}
    assert [name for name, _ in store.limits.paused()] == [WORK]
    store.limits.pause(WORK, is_paused=False)
    assert ids(store.claim(W1, request, fresh_claims(5))) == ["a"]


def test_a_run_at_its_last_attempt_needs_room_too(store: Store) -> None:
    """It is claimed alone, within the limit."""
    limit(store, concurrency=1)
    fill(store, "poison", max_attempts=2)
    ask(store, W1)
    store.workers.take_over(W1)
    fill(store, "r")
    [run] = ask(store, W2).runs
    assert run.run_id == "r"
    alone = ClaimRequest({QUEUE: 1}, [WORK], "alone")
    assert store.claim(W3, alone, fresh_claims(1)).short == {QUEUE: "full"}
    store.apply(W2, [finished("r", run.claim)])
    assert ids(store.claim(W3, alone, fresh_claims(1))) == ["poison"]


def test_the_pulse_tells_what_was_set(store: Store) -> None:
    """A worker's own limit, and whether nothing may begin past a claim."""
    assert store.pulse(W1, [QUEUE, "other"], [WORK]).limits == {}
    limit(store, worker_concurrency=7)
    told = store.pulse(W1, [QUEUE, "other"], [WORK]).limits
    assert set(told) == {QUEUE}
    assert (told[QUEUE].worker_concurrency, told[QUEUE].is_shared) == (7, False)
    limit(store, worker_concurrency=None, rate=(5, 60.0))
    told = store.pulse(W1, [QUEUE], [WORK]).limits
    assert (told[QUEUE].worker_concurrency, told[QUEUE].is_shared) == (None, True)
    limit(store, rate=None)
    limit(store, rate=(5, 60.0))
    again = store.pulse(W1, [QUEUE], [WORK]).limits[QUEUE]
    assert again.is_shared
    assert again.changed_at > told[QUEUE].changed_at


def test_what_a_program_declares_takes_back_nothing_that_was_set(store: Store) -> None:
    """Of each value the last change counts, whoever has made it: the same declaration, made again, is none."""
    store.limits.declare(QUEUE, {})
    assert store.limits.rows() == []
    store.limits.declare(QUEUE, {"concurrency": 5, "rate": [10, 60.0]})
    limit(store, concurrency=1)
    store.limits.declare(QUEUE, {"concurrency": 5, "rate": [10, 60.0]})
    [row] = store.limits.rows([QUEUE, "other"])
    assert (row.concurrency, row.rate, row.period_seconds) == (1, 10, 60.0)
    store.limits.declare(QUEUE, {"concurrency": 6, "rate": [10, 60.0]})
    [row] = store.limits.rows()
    assert (row.concurrency, row.rate) == (6, 10)
    limit(store, key_concurrency=2)
    store.limits.declare(QUEUE, {})
    [row] = store.limits.rows()
    assert (row.concurrency, row.rate, row.period_seconds, row.key_concurrency) == (None, None, None, 2)


def test_nothing_is_set_for_a_queue_that_nobody_knows(store: Store) -> None:
    """A name that was mistyped is no queue; one that somebody serves, or has runs, is."""
    assert not store.limits.set("limmited", {"concurrency": 1}, is_known=False)
    assert store.limits.rows() == []
    fill(store, "a")
    assert store.limits.set(QUEUE, {"concurrency": 1}, is_known=False)
    assert [row.name for row in store.limits.rows()] == [QUEUE]


def test_a_queue_whose_runs_come_later_has_runs(store: Store) -> None:
    """It can be paused before anybody works."""
    fill(store, "a", delay_seconds=60.0)
    assert store.limits.set(QUEUE, {"paused": True}, is_known=False)
