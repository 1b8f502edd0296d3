"""The contract of the mailbox: whatever is told to a run reaches it, parked or held (rule 13)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from perdure.stores.protocol import Store
from tests.stores.entries import (
    C1,
    C2,
    C3,
    C4,
    W1,
    W2,
    WORK,
    OpenAnother,
    child,
    claim,
    created,
    finished,
    fresh_claims,
    join,
    parked,
    released,
    state,
)


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def read_all(store: Store) -> None:
    """Look until nothing is told to anybody."""
    while store.hear(W1, ()).has_read:
        pass


def make_family(store: Store) -> None:
    """A parent that worker 1 holds, and its child, which worker 2 does."""
    store.apply(W1, [created("p", held_as=C1), child("c", "p", C1)])
    assert [run.run_id for run in claim(store, W2, 1, claims=[C2])] == ["c"]


def test_the_end_of_a_child_is_told_to_the_worker_that_holds_its_parent(store: Store) -> None:
    """Again and again, until that has heard it."""
    make_family(store)
    store.apply(W2, [finished("c", C2)])

    [told] = store.hear(W1, ()).told
    assert (told.run_id, told.is_cancelled) == ("p", False)
    assert store.hear(W1, ()).told == [told]
    assert store.hear(W2, [told.seq]).told == []
    assert store.hear(W1, ()).told == [told]
    assert store.hear(W1, [told.seq]).told == []
    assert not store.pulse(W1, [""], [WORK]).has_mail


def test_a_worker_is_not_told_of_ends_that_it_commits_itself(store: Store) -> None:
    """It tells its own runs in memory."""
    store.apply(W1, [created("p", held_as=C1), child("c", "p", C1, held_as=C2)])
    store.apply(W1, [finished("c", C2)])
    assert not store.pulse(W1, [""], [WORK]).has_mail


def test_a_park_wakes_by_an_end_of_its_own_batch(store: Store) -> None:
    """It tells its own run, which is looked at after the commit."""
    store.apply(W1, [created("p", held_as=C1), child("c", "p", C1, held_as=C2)])
    store.apply(W1, [finished("c", C2), parked("p", C1, children_seen=0)])
    assert [run.run_id for run in claim(store, W2)] == ["p"]


def test_a_park_that_nothing_has_come_for_stays(store: Store) -> None:
    """It is looked at once, and then no more."""
    store.apply(W1, [created("a", held_as=C2), created("p", held_as=C1), parked("p", C1, runs=("a",))])
    assert claim(store, W2) == []
    assert not store.pulse(W2, [""], [WORK]).has_mail
    assert state(store, "p") == "parked"


ENDS: dict[str, Callable[[Store, str], Any]] = {
    "succeeds": lambda store, run_id: store.apply(W1, [finished(run_id, C2)]),
    "is dead of its attempts": lambda store, run_id: store.apply(W1, [released(run_id, C2, charged=True)]),
    "is cancelled where it is held": lambda store, run_id: (
        store.cancels.ask([run_id]),
        store.apply(W1, [finished(run_id, C2)]),
    ),
    "is swept": lambda store, run_id: (
        store.apply(W1, [released(run_id, C2)]),
        store.cancels.ask([run_id]),
        store.cancels.sweep(),
    ),
    "is cancelled and taken over": lambda store, run_id: (store.cancels.ask([run_id]), store.workers.take_over(W1)),
    "is dead with its worker": lambda store, run_id: store.workers.take_over(W1),
}


@pytest.mark.parametrize("way", ENDS)
@pytest.mark.parametrize("is_child", [True, False], ids=["a child", "another run"])
def test_every_end_reaches_who_waits_for_it(store: Store, way: str, is_child: bool) -> None:
    """However the awaited run ends, parent or stranger is woken."""
    store.apply(W2, [created("p", held_as=C1)])
    if is_child:
        store.apply(W2, [child("a", "p", C1, queue="q", max_attempts=1)])
        assert claim(store, W1, 1, queue="q", claims=[C2])
        store.apply(W2, [parked("p", C1, children_seen=0)])
    else:
        store.apply(W1, [created("a", held_as=C2, max_attempts=1)])
        store.apply(W2, [parked("p", C1, runs=("a",))])
    read_all(store)
    assert claim(store, W2) == []
    ENDS[way](store, "a")
    assert [run.run_id for run in claim(store, W2)] == ["p"], state(store, "a")


def test_who_is_woken_by_one_run_forgets_the_others(store: Store) -> None:
    """Their ends tell nobody."""
    store.apply(W1, [created("a", held_as=C2), created("b", held_as=C3), created("p", held_as=C1)])
    store.apply(W1, [parked("p", C1, runs=("a", "b"))])
    store.apply(W1, [finished("a", C2)])
    assert [run.run_id for run in claim(store, W2, 1, claims=[C4])] == ["p"]
    read_all(store)
    store.apply(W1, [finished("b", C3)])
    assert not store.pulse(W1, [""], [WORK]).has_mail


def test_a_run_may_wait_for_one_that_is_made_later(store: Store) -> None:
    """Its end tells who has waited before it was there."""
    store.apply(W1, [created("p", held_as=C1), parked("p", C1, runs=("late",))])
    assert claim(store, W2) == []
    store.apply(W1, [created("late", held_as=C2)])
    store.apply(W1, [finished("late", C2)])
    assert [run.run_id for run in claim(store, W2)] == ["p"]


@pytest.mark.parametrize("leaves", ["taken over", "by itself"])
def test_what_was_told_to_a_worker_that_is_gone_is_for_anybody(store: Store, leaves: str) -> None:
    """Else a cancel of what it held would wait for it for ever."""
    store.apply(W1, [created("r", held_as=C1)])
    store.cancels.ask(["r"])
    store.hear(W2, ())
    if leaves == "taken over":
        store.workers.take_over(W1)
        assert state(store, "r") == "cancelled"
    else:
        store.workers.leave(W1)
        assert store.hear(W2, ()).has_cancelled
    store.cancels.sweep()
    read_all(store)
    assert state(store, "r") == "cancelled"
    assert not store.pulse(W1, [""], [WORK]).has_mail


def test_a_look_takes_so_much_at_most(store: Store) -> None:
    """The rest is for the next one: no claim takes long, whatever was told."""
    names = [f"r{n}" for n in range(1200)]
    claims = fresh_claims(1200)
    store.apply(W1, [created(name, held_as=taken) for name, taken in zip(names, claims, strict=True)])
    store.apply(W1, [parked(name, taken, children_seen=0) for name, taken in zip(names, claims, strict=True)])
    assert store.hear(W1, ()).has_read
    assert store.pulse(W1, [""], [WORK]).has_mail
    assert store.hear(W1, ()).has_read
    assert not store.hear(W1, ()).has_read


def race(*actions: Callable[[], Any]) -> None:
    """Run all of them at the same moment."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> None:
        start.wait(30)
        action()

    with ThreadPoolExecutor(len(actions)) as pool:
        for future in [pool.submit(run, action) for action in actions]:
            future.result(60)


RACES = [30, pytest.param(1_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])]


@pytest.mark.parametrize("times", RACES)
@pytest.mark.parametrize("awaits", ["a child", "another run", "a cancel"])
def test_a_park_raced_against_what_wakes_it_is_never_stuck(
    store: Store, open_another: OpenAnother, awaits: str, times: int
) -> None:
    """Whatever comes first, and beside two who look into the mailbox at the same time."""
    other, third = open_another(), open_another()
    for n in range(times):
        parent, awaited = f"p{n}", f"a{n}"
        first, second = fresh_claims(2)
        store.apply(W1, [created(parent, held_as=first)])
        if awaits == "a child":
            store.apply(W1, [child(awaited, parent, first, queue=awaited)])
            assert claim(other, W2, 1, queue=awaited, claims=[second])
        else:
            other.apply(W2, [created(awaited, held_as=second)])
        waits = {"children_seen": 0} if awaits == "a child" else {"runs": (awaited,)}
        race(
            lambda p=parent, c=first, w=waits: store.apply(W1, [parked(p, c, **w)]),
            (lambda p=parent: other.cancels.ask([p]))
            if awaits == "a cancel"
            else (lambda a=awaited, c=second: other.apply(W2, [finished(a, c)])),
            lambda: third.hear(W2, ()),
        )
        while store.hear(W1, ()).has_read:
            if store.hear(W1, ()).has_cancelled:
                store.cancels.sweep()
        expected = "cancelled" if awaits == "a cancel" else "ready"
        assert state(store, parent) == expected, n
