"""The contract of `restart`, `fork` and `delete`: done whole, and only if all is as it was when it was planned."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from perdure._entries import Stored
from perdure._steering import By, Fork, Restart
from perdure.stores.finding import Wanted
from perdure.stores.protocol import Store
from tests.stores.entries import (
    C1,
    C2,
    C3,
    W1,
    W2,
    OpenAnother,
    arrived,
    child,
    claim,
    created,
    finished,
    join,
    named_uuid,
    received,
    recorded,
    sent,
    state,
)

ME = By("somebody")


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def plan_of(store: Store, run_id: str = "r", **changes: Any) -> Restart:
    """A new start of the run from the beginning, as things are."""
    past = store.steering.past(run_id)
    assert past is not None
    last_seq = max((record.seq for record in past.records), default=0)
    keys = [record.key for record in past.records]
    plan = Restart(
        run_id, past.state, past.incarnation, last_seq, f"{run_id}:undo", None, 0, keys, {}, [], [], False, "as it was"
    )
    return replace(plan, **changes)


def restart(store: Store, *plans: Restart) -> bool:
    """Do it."""
    return store.steering.restart(plans, "restart", ME)


def end_a_run(store: Store) -> None:
    """One with two steps, a message, a child and an order log, that has failed."""
    store.apply(W1, [created("r", held_as=C1), recorded("r", C1, key="0"), child("c", "r", C1, held_as=C2)])
    store.apply(W1, [sent("r", "m"), recorded("r", C1, key="#0", kind="order", outcome=Stored("json", '[0,"0","1"]'))])
    store.apply(W1, [received("r", C1, "m", key="1"), recorded("r", C1, key="2")])
    store.apply(W1, [finished("r", C1, "failed", '{"$error":{}}')])


def test_a_restarted_run_is_ready_and_keeps_what_it_is_to_keep(store: Store) -> None:
    """The rest is gone, with its output; the message waits again, the child is to end; the attempts begin anew."""
    end_a_run(store)
    plan = plan_of(store, dropped=["1", "2"], order={"#0": '[0, "0"]'}, cancelled=["c", "nobody"])
    assert restart(store, plan)
    assert (state(store, "r"), store.runs.ended(["r"])) == ("ready", [])
    rows = {row.key: row.outcome.text for row in store.runs.checkpoints("r")}
    assert set(rows) == {"0", "key of c", "#0"}
    assert rows["#0"] == '[0, "0"]'
    assert [one.arrival_id for one in arrived(store, "r", "a")] == [named_uuid("m")]
    assert store.apply(W1, [finished("c", C2)])[0].state == "cancelled"  # type: ignore[union-attr]
    [run] = claim(store, W2)
    assert (run.run_id, run.attempts, run.incarnation, run.is_fresh, run.is_cancelled) == ("r", 1, 1, False, False)
    [line] = store.steering.audited("r", 9)
    assert (line.who, line.action, line.detail) == ("somebody", "restart", "as it was")


def test_a_cancelled_run_that_is_restarted_is_cancelled_no_more(store: Store) -> None:
    """Nor paused; who holds it can be told both anew."""
    store.create([created("r")])
    store.steering.pause(["r"], ME)
    store.cancels.ask(["r"])
    store.cancels.sweep()
    assert restart(store, plan_of(store))
    [run] = claim(store, W1, claims=[C1])
    assert not run.is_cancelled
    assert store.hear(W1, ()).told == []
    assert store.cancels.ask(["r"])


@pytest.mark.parametrize(
    "change", ["state", "incarnation", "last_seq", "undoer_state", "undoer_records", "held", "gone"]
)
def test_a_plan_that_does_not_hold_any_more_does_nothing(store: Store, change: str) -> None:
    """Nothing of any of the runs."""
    end_a_run(store)
    store.create([created("s")])
    wrong: dict[str, Any] = {
        "state": "succeeded",
        "incarnation": 3,
        "last_seq": 1,
        "undoer_state": "parked",
        "undoer_records": 2,
    }
    if change in wrong:
        plan = plan_of(store, **{change: wrong[change]})
    elif change == "held":
        assert restart(store, plan_of(store))
        claim(store, W2, 1, claims=[C3])
        plan = plan_of(store)
    else:
        plan = replace(plan_of(store), run_id="gone")
    before = [row.key for row in store.runs.checkpoints("r")], state(store, "r")
    assert not restart(store, plan_of(store, "s"), plan)
    assert ([row.key for row in store.runs.checkpoints("r")], state(store, "r")) == before
    row = store.runs.row("s")
    assert row is not None
    assert store.steering.audited("s", 9) == []


def test_a_child_is_not_restarted_while_its_parent_goes_on(store: Store) -> None:
    """But with it."""
    store.apply(W1, [created("p", held_as=C1), child("c", "p", C1, held_as=C2), finished("c", C2, "failed", "{}")])
    assert not restart(store, plan_of(store, "c"))
    store.apply(W1, [finished("p", C1, "failed", "{}")])
    assert restart(store, plan_of(store, "p"), plan_of(store, "c"))
    assert not restart(store, plan_of(store, "c"))


def test_of_two_new_starts_one_is_done(store: Store, open_another: OpenAnother) -> None:
    """By the same plan at the same time."""
    others = [open_another(), open_another()]
    for number in range(10):
        run_id = f"r{number}"
        store.create([created(run_id)])
        plan = plan_of(store, run_id)
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda other, plan=plan: restart(other, plan), others))  # type: ignore[misc]
        assert sorted(done) == [False, True]


def test_a_fork_has_what_it_is_to_have(store: Store) -> None:
    """Records, order, attributes, arguments; it is ready, and the other run is as it was."""
    end_a_run(store)
    plan = Fork("r", "f", ["0", "#0", "key of c"], {"#0": '[0, "0"]'})
    assert store.steering.fork(plan, ME) == "made"
    assert store.steering.fork(plan, ME) == "taken"
    assert [(row.key, row.position) for row in store.runs.checkpoints("f")] == [
        ("0", None),
        ("#0", None),
        ("key of c", None),
    ]
    assert state(store, "r") == "failed"
    [run] = claim(store, W1)
    assert (run.run_id, run.input.text, run.is_fresh, run.parent_id, run.incarnation) == ("f", '["r"]', False, None, 0)
    [found] = store.finder.page(wanted_fork("r"), 9).runs
    assert found.run_id == "f"


def wanted_fork(run_id: str) -> Any:
    """What is found by where it comes from."""
    return Wanted(attributes={"forked_from": run_id})


def test_a_fork_may_have_other_arguments_and_code(store: Store) -> None:
    """With no record it is as if it was made just now."""
    end_a_run(store)
    plan = Fork("r", "f", [], {}, "app:other", 3, "f9", Stored("json", '["z"]'))
    assert store.steering.fork(plan, ME) == "made"
    [run] = claim(store, W1, names=["app:other"])
    assert (run.name, run.max_attempts, run.input.text, run.is_fresh) == ("app:other", 3, '["z"]', True)


def test_a_fork_of_what_is_gone_is_not_made(store: Store) -> None:
    """Neither the run, nor one of its records."""
    end_a_run(store)
    assert store.steering.fork(Fork("nobody", "f", [], {}), ME) == "gone"
    assert store.steering.fork(Fork("r", "f", ["0", "nothing"], {}), ME) == "gone"
    assert store.runs.row("f") is None


def test_a_family_is_deleted_together(store: Store) -> None:
    """When all of it has ended; who did it is kept."""
    store.apply(
        W1, [created("r", held_as=C1), child("c", "r", C1, held_as=C2), created("undoer", attributes={"undo": "r"})]
    )
    store.apply(W1, [child("g", "c", C2), finished("c", C2), finished("r", C1)])
    assert store.steering.delete(["r", "nobody"], ME) == ([], 0)
    assert store.steering.delete(["g"], ME) == ([], 0)
    store.cancels.ask(["g"])
    store.cancels.sweep()
    assert store.steering.delete(["c", "r"], ME) == (["c", "r"], 3)
    assert [store.runs.row(run_id) for run_id in ("r", "c", "g")] == [None, None, None]
    assert store.runs.checkpoints("r") == []
    assert [line.action for line in store.steering.audited("g", 9)] == ["delete"]


@pytest.mark.parametrize("other", ["other", "größer 😀"])
def test_what_an_unfinished_run_needs_is_not_deleted(store: Store, other: str) -> None:
    """It was forked from that, or has found it by a call: it would wait for it, or for its children, for ever."""
    store.apply(W1, [created("r", held_as=C1), finished("r", C1), created(other, held_as=C2), finished(other, C2)])
    assert store.steering.fork(Fork("r", "f", [], {}), ME) == "made"
    store.apply(W1, [created("caller", held_as=C3)])
    found = recorded("caller", C3, key="0", kind="child", attempts=0, outcome=Stored("json", json.dumps(other)))
    store.apply(W1, [found])
    assert store.steering.delete(["r", other], ME) == ([], 0)
    store.apply(W1, [finished("caller", C3)])
    store.cancels.ask(["f"])
    store.cancels.sweep()
    assert store.steering.delete(["r", other], ME) == (["r", other], 2)


def test_a_child_is_not_deleted_while_its_parent_goes_on(store: Store) -> None:
    """The parent would ask for it again."""
    store.apply(W1, [created("p", held_as=C1), child("c", "p", C1, held_as=C2), finished("c", C2)])
    assert store.steering.delete(["c"], ME) == ([], 0)
