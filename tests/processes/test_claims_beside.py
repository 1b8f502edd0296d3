"""A claim beside the journal's batches, and what may not go on beside a claim."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import perdure
from perdure import Handle, Queue, step
from perdure._engine.runtime import Runtime
from tests.processes.waiting import PATIENCE_SECONDS

A_MOMENT = 0.2
THIRD = "third"
QUEUE = Queue("claims beside", worker_concurrency=2)
bodies: list[int] = []
began = {number: threading.Event() for number in range(4)}
may_end = {number: threading.Event() for number in range(4)}


@step
def job(number: int) -> int:
    """Waits until it is told to end."""
    bodies.append(number)
    began[number].set()
    assert may_end[number].wait(PATIENCE_SECONDS)
    return number


@pytest.fixture
def runtime(store_url: str) -> Iterator[Runtime]:
    """Launched; nothing has begun."""
    bodies.clear()
    for event in (*began.values(), *may_end.values()):
        event.clear()
    with perdure.running(store_url, poll_seconds=0.02) as app:
        yield app._launched()
        for event in may_end.values():
            event.set()


def fill_the_slots() -> list[Handle[int]]:
    """Two that execute, and one that waits in the database."""
    handles = [QUEUE.submit(job, 0), QUEUE.submit(job, 1)]
    assert began[0].wait(PATIENCE_SECONDS)
    assert began[1].wait(PATIENCE_SECONDS)
    handles.append(QUEUE.with_options(id=THIRD).submit(job, 2))
    return handles


def test_a_claim_waits_for_no_batch_where_the_store_can_do_both(runtime: Runtime) -> None:
    """The slot of the first is free before its end is committed, and the third begins in it."""
    handles = fill_the_slots()
    with runtime.journal.turn():
        may_end[0].set()
        if runtime.store.may_claim_beside:
            assert began[2].wait(PATIENCE_SECONDS)
    for event in may_end.values():
        event.set()
    assert [handle.result(PATIENCE_SECONDS) for handle in handles] == [0, 1, 2]
    assert sorted(bodies) == [0, 1, 2]


def reconcile(runtime: Runtime) -> None:
    """Hand back what the database says we hold and we do not know."""
    runtime.claims.reconcile()


def lose_the_right(runtime: Runtime) -> None:
    """Drop every run and join again, as after a fence."""
    runtime.claims.lost_right(runtime.worker.worker_id)


@pytest.mark.parametrize(("act", "most"), [(reconcile, 1), (lose_the_right, 2)])
def test_what_compares_claims_or_ends_them_all_waits_for_one_that_is_under_way(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, act: Callable[[Runtime], None], most: int
) -> None:
    """Between a claim's commit and its reply nobody here knows that run: it would go back, and its body begin twice."""
    claim = runtime.store.claim
    is_committed, may_return = threading.Event(), threading.Event()

    def claim_slowly(*given: Any) -> Any:
        claimed = claim(*given)
        if any(run.run_id == THIRD for run in claimed.runs):
            is_committed.set()
            assert may_return.wait(PATIENCE_SECONDS)
        return claimed

    monkeypatch.setattr(runtime.store, "claim", claim_slowly)
    third = fill_the_slots()[2]
    may_end[0].set()
    assert is_committed.wait(PATIENCE_SECONDS)
    actor = threading.Thread(target=act, args=(runtime,))
    actor.start()
    actor.join(A_MOMENT)
    assert actor.is_alive()
    for event in may_end.values():
        event.set()
    may_return.set()
    actor.join(PATIENCE_SECONDS)
    assert third.result(PATIENCE_SECONDS) == 2
    assert bodies.count(2) <= most  # where the right was lost it may have begun before that
    row = runtime.store.runs.row(THIRD)
    assert row is not None
    assert row.attempts == 1


def test_a_claim_that_is_to_be_alone_waits_for_the_batch(runtime: Runtime) -> None:
    """The batch may make a run that is held here from the start, and the claimed one would begin beside it."""
    is_claiming = threading.Event()

    def claim_alone() -> None:
        with runtime.claims.claiming(alone=True):
            is_claiming.set()

    claimer = threading.Thread(target=claim_alone)
    with runtime.journal.turn():
        claimer.start()
        assert not is_claiming.wait(A_MOMENT)
    assert is_claiming.wait(PATIENCE_SECONDS)
    claimer.join()


def test_a_fence_may_be_met_within_what_a_fence_does(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """To drop the runs hands their creations in again, and whoever hands in much has to commit for others."""
    leave, left = runtime.store.workers.leave, threading.Event()

    def leave_twice(worker_id: str) -> None:
        if not left.is_set():
            left.set()
            runtime.claims.rejoin()
        leave(worker_id)

    monkeypatch.setattr(runtime.store.workers, "leave", leave_twice)
    loser = threading.Thread(target=lose_the_right, args=(runtime,), daemon=True)
    loser.start()
    loser.join(PATIENCE_SECONDS)
    assert not loser.is_alive()
    may_end[3].set()
    assert QUEUE.submit(job, 3).result(PATIENCE_SECONDS) == 3
