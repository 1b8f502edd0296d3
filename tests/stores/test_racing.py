"""Two stores on one database, as two processes have them: whatever the interleaving, a run has one holder."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from perdure._entries import Accepted, Existed, Refused
from perdure.stores.protocol import Fenced, Store
from tests.stores.entries import (
    W1,
    W2,
    OpenAnother,
    cancels_told,
    claim,
    created,
    finished,
    fresh_claims,
    join,
    recorded,
    state,
)


@pytest.fixture
def other(store: Store, open_another: OpenAnother) -> Store:
    """A second store on the same database; both workers have their rows."""
    join(store, W1, W2)
    return open_another()


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """Run all actions at the same moment, each in a thread; what they returned or raised."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return action()
        except Fenced as fenced:
            return fenced

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def test_what_is_claimed_at_once_is_claimed_once(store: Store, other: Store) -> None:
    """Two workers that claim as fast as they can share the runs without overlap, and leave none."""
    store.apply(W1, [created(f"r{n}") for n in range(60)])

    def claim_all(mine: Store, worker_id: str) -> list[str]:
        taken: list[str] = []
        while runs := claim(mine, worker_id, 3):
            taken += [run.run_id for run in runs]
        return taken

    first, second = at_once(lambda: claim_all(store, W1), lambda: claim_all(other, W2))
    assert sorted(first + second) == sorted(f"r{n}" for n in range(60))


def test_a_run_created_at_once_is_created_once(store: Store, other: Store) -> None:
    """Of two creators one wins, and the other hears it."""
    for n in range(20):
        verdicts = at_once(
            lambda n=n: store.apply(W1, [created(f"r{n}", entry_id="one")]),
            lambda n=n: other.apply(W2, [created(f"r{n}", entry_id="two")]),
        )
        assert sorted(type(verdict) is Accepted for [verdict] in verdicts) == [False, True]
        assert any(isinstance(verdict, Existed) for [verdict] in verdicts)


def test_cancel_and_finish_at_once_agree(store: Store, other: Store) -> None:
    """An acknowledged cancel means cancelled, a refused one means finished: never anything else (rule 8)."""
    for n in range(20):
        [taken] = fresh_claims(1)
        store.apply(W1, [created(f"r{n}", held_as=taken)])
        was_asked, [verdict] = at_once(
            lambda n=n: other.cancels.ask([f"r{n}"]),
            lambda n=n, taken=taken: store.apply(W1, [finished(f"r{n}", taken)]),
        )
        assert verdict == Accepted("cancelled" if was_asked else "succeeded")
        assert state(store, f"r{n}") == verdict.state


def test_takeover_and_batch_at_once_agree(store: Store, other: Store) -> None:
    """Either the batch came first and is in the history, or the worker is fenced and it is not (rules 1 and 3)."""
    for n in range(20):
        worker_id, taken = fresh_claims(2)
        join(store, worker_id)
        store.apply(worker_id, [created(f"r{n}", held_as=taken)])
        outcome, _ = at_once(
            lambda n=n, w=worker_id, c=taken: store.apply(w, [recorded(f"r{n}", c)]),
            lambda w=worker_id: other.workers.take_over(w),
        )
        other.workers.take_over(worker_id)  # where a worker that is just writing was passed by (rule 3)
        assert len(store.runs.checkpoints(f"r{n}")) == (outcome == [Accepted()])
        assert isinstance(outcome, Fenced) or outcome == [Accepted()]
        assert state(store, f"r{n}") == "ready"


def test_takeover_and_claim_at_once_leave_no_orphan(store: Store, other: Store) -> None:
    """A claim that commits just before the takeover is put back; one that comes later is fenced (rule 3)."""
    for n in range(20):
        [worker_id] = fresh_claims(1)
        join(store, worker_id)
        store.apply(W1, [created(f"r{n}", queue=f"q{n}")])
        at_once(
            lambda n=n, w=worker_id: claim(store, w, 1, queue=f"q{n}"),
            lambda w=worker_id: other.workers.take_over(w),
        )
        other.workers.take_over(worker_id)  # where a worker that is just writing was passed by (rule 3)
        assert state(store, f"r{n}") == "ready"


def test_of_two_takers_at_once_one_wins(store: Store, other: Store) -> None:
    """The runs are put back once."""
    for n in range(10):
        worker_id, taken = fresh_claims(2)
        join(store, worker_id)
        store.apply(worker_id, [created(f"r{n}", held_as=taken)])
        outcomes = at_once(
            lambda w=worker_id: store.workers.take_over(w),
            lambda w=worker_id: other.workers.take_over(w),
        )
        assert sorted(outcomes, key=str) == sorted([None, [f"r{n}"]], key=str)


STEPS = ("record", "finish", "cancel", "take over", "claim")


def play(store: Store, other: Store, order: tuple[str, ...], run_id: str, victim: str) -> dict[str, Any]:
    """Do the steps in this order; what each returned, or `Fenced`."""
    [taken] = fresh_claims(1)
    join(store, victim)
    store.apply(victim, [created(run_id, held_as=taken, queue=run_id)])
    steps: dict[str, Callable[[], Any]] = {
        "record": lambda: store.apply(victim, [recorded(run_id, taken)]),
        "finish": lambda: store.apply(victim, [finished(run_id, taken)]),
        "cancel": lambda: other.cancels.ask([run_id]),
        "take over": lambda: other.workers.take_over(victim),
        "claim": lambda: claim(other, W2, queue=run_id),
    }
    outcomes: dict[str, Any] = {}
    for step in order:
        try:
            outcomes[step] = steps[step]()
        except Fenced as fenced:
            outcomes[step] = fenced
    return outcomes


def check(store: Store, outcomes: dict[str, Any], run_id: str) -> None:
    """Every promise about the run that these steps touch; the order of the outcomes is that of the steps."""
    order = list(outcomes)

    def was_before(first: str, second: str) -> bool:
        return order.index(first) < order.index(second)

    def was_accepted(step: str) -> bool:
        return not isinstance(outcomes[step], Fenced) and not isinstance(outcomes[step][0], Refused)

    assert was_accepted("finish") == was_before("finish", "take over")
    assert was_accepted("record") == (was_before("record", "take over") and was_before("record", "finish"))
    assert len(store.runs.checkpoints(run_id)) == was_accepted("record")
    if was_accepted("finish"):
        assert bool(outcomes["cancel"]) == was_before("cancel", "finish")
        assert state(store, run_id) == ("cancelled" if outcomes["cancel"] else "succeeded")
        assert outcomes["claim"] == []
        return
    assert outcomes["cancel"] == [run_id]
    was_claimed = [run.is_cancelled for run in outcomes["claim"]]
    store.cancels.sweep()
    if not was_claimed:
        assert state(store, run_id) == "cancelled"
    else:
        assert was_before("take over", "cancel")
        assert was_claimed == [was_before("cancel", "claim")]
        assert run_id in cancels_told(store, W2)


def test_every_order_of_two_processes_keeps_the_promises(store: Store, other: Store) -> None:
    """All 120 orders of record, finish, cancel, takeover and claim: no write after the fence, no lost cancel."""
    for order in itertools.permutations(STEPS):
        run_id = ", ".join(order)
        check(store, play(store, other, order, run_id, victim=fresh_claims(1)[0]), run_id)
