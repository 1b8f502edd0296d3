"""The contract of deadlines: by the database's clock, an overdue run gets a cancel, and its end says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure._entries import Accepted
from perdure.stores.open import open_store
from perdure.stores.protocol import Store
from perdure.typing import OVERDUE
from tests.inside.clock import skip_time
from tests.stores.conftest import KINDS
from tests.stores.entries import C1, C2, C3, W1, W2, WORK, child, claim, created, finished, join, parked, state

AN_HOUR = 3600.0
LATER = AN_HOUR + 60.0


@pytest.fixture(params=KINDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of one's own: its clock is changed."""
    if request.param == "postgres":
        return str(request.getfixturevalue("own_postgres_url"))
    return str(tmp_path / "perdure.db")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """With two workers."""
    opened = open_store(store_url)
    opened.migrate()
    join(opened, W1, W2)
    yield opened
    opened.close()


def made_at(store: Store, run_id: str) -> float:
    """When the database has made it."""
    run = store.runs.row(run_id)
    assert run is not None
    return run.created_at


def end_of(store: Store, run_id: str) -> tuple[str, str | None]:
    """Its state and why, as whoever waits for it reads them."""
    [ended] = store.runs.ended([run_id])
    return ended.state, ended.reason


def over(run_id: str, claim: str, state: str) -> object:
    """The end of a run that has a deadline, as its flow hands it in."""
    entry = finished(run_id, claim, state, "42" if state == "succeeded" else None)
    entry.has_deadline = True
    return entry


def test_a_timeout_counts_from_when_the_run_may_begin(store: Store) -> None:
    """By the database's clock: from its making, or from the time until which it is delayed."""
    store.apply(W1, [created("now", timeout_seconds=AN_HOUR)])
    [run] = claim(store, W1)
    assert run.deadline == pytest.approx(made_at(store, "now") + AN_HOUR, abs=0.001)
    store.apply(W1, [created("later", timeout_seconds=AN_HOUR, delay_seconds=AN_HOUR)])
    assert store.pulse(W1, [""], [WORK]).next_due_at == pytest.approx(run.deadline, abs=0.001)


def test_the_earlier_of_two_limits_counts(store: Store) -> None:
    """A child's own timeout, and the deadline of the run that makes it."""
    soon = 1_900_000_000.0
    entries = [
        created("own", timeout_seconds=AN_HOUR, deadline_at=4_000_000_000.0),
        created("given", timeout_seconds=1_000_000_000.0, deadline_at=soon),
        created("none"),
    ]
    store.apply(W1, entries)
    deadlines = {run.run_id: run.deadline for run in claim(store, W1, slots=3)}
    assert deadlines["own"] == pytest.approx(made_at(store, "own") + AN_HOUR, abs=0.001)
    assert deadlines["given"] == soon
    assert deadlines["none"] is None


def test_nothing_is_overdue_before_its_time(store: Store) -> None:
    """The pulse says when to look again."""
    store.apply(W1, [created("r", timeout_seconds=AN_HOUR)])
    assert not store.pulse(W1, [""], [WORK]).has_overdue
    assert store.cancels.expire() == []
    assert state(store, "r") == "ready"


def test_an_overdue_run_that_nobody_holds_is_swept(store: Store, store_url: str) -> None:
    """Ready or parked: it ends without its code, and says why."""
    store.apply(W1, [created("ready", timeout_seconds=AN_HOUR), created("parked", held_as=C1, timeout_seconds=AN_HOUR)])
    store.apply(W1, [parked("parked", C1, due_at=4_000_000_000.0)])
    skip_time(store_url, LATER)
    assert store.pulse(W2, ["another queue"], ["another:function"]).has_overdue
    assert sorted(store.cancels.expire()) == ["parked", "ready"]
    assert not store.pulse(W2, [""], [WORK]).has_overdue
    assert store.cancels.expire() == []
    assert sorted(store.cancels.sweep()) == ["parked", "ready"]
    assert end_of(store, "ready") == end_of(store, "parked") == ("cancelled", OVERDUE)


def test_an_overdue_run_that_is_held_is_told(store: Store, store_url: str) -> None:
    """Its worker hears it, and the end says why; sent again it finds itself."""
    store.apply(W1, [created("r", held_as=C1, timeout_seconds=AN_HOUR)])
    skip_time(store_url, LATER)
    assert store.cancels.expire() == ["r"]
    assert [(told.run_id, told.is_cancelled) for told in store.hear(W1, []).told] == [("r", True)]
    for _ in range(2):
        assert store.apply(W1, [over("r", C1, "cancelled")]) == [Accepted("cancelled", OVERDUE)]  # type: ignore[list-item]
    assert end_of(store, "r") == ("cancelled", OVERDUE)


def test_a_deadline_that_was_told_decides(store: Store, store_url: str) -> None:
    """The value that comes later is dropped (rule 8)."""
    store.apply(W1, [created("r", held_as=C1, timeout_seconds=AN_HOUR)])
    skip_time(store_url, LATER)
    store.cancels.expire()
    assert store.apply(W1, [over("r", C1, "succeeded")]) == [Accepted("cancelled", OVERDUE)]  # type: ignore[list-item]
    [ended] = store.runs.ended(["r"])
    assert (ended.state, ended.output) == ("cancelled", None)


def test_a_value_that_came_before_anybody_looked_stays(store: Store, store_url: str) -> None:
    """A deadline is no trap: what ended before it was told has ended."""
    store.apply(W1, [created("r", held_as=C1, timeout_seconds=AN_HOUR)])
    skip_time(store_url, LATER)
    assert store.apply(W1, [over("r", C1, "succeeded")]) == [Accepted("succeeded")]  # type: ignore[list-item]
    assert store.cancels.expire() == []
    assert end_of(store, "r") == ("succeeded", None)


def test_a_cancel_before_the_deadline_is_a_cancel(store: Store, store_url: str) -> None:
    """As long as the run ends before it; one that ends later was not over in time, whoever asked for its end."""
    store.apply(W1, [created("soon", timeout_seconds=AN_HOUR), created("late", held_as=C1, timeout_seconds=AN_HOUR)])
    assert store.cancels.ask(["soon"])
    assert store.cancels.ask(["late"])
    store.cancels.sweep()
    assert end_of(store, "soon") == ("cancelled", None)
    skip_time(store_url, LATER)
    assert not store.pulse(W1, [""], [WORK]).has_overdue
    assert store.apply(W1, [over("late", C1, "cancelled")]) == [Accepted("cancelled", OVERDUE)]  # type: ignore[list-item]


def test_an_overdue_run_of_a_dead_worker_ends_with_the_takeover(store: Store, store_url: str) -> None:
    """Whoever looks tells it, and whoever takes over ends it."""
    store.apply(W1, [created("r", held_as=C1, timeout_seconds=AN_HOUR)])
    skip_time(store_url, LATER)
    assert store.cancels.expire() == ["r"]
    assert store.workers.take_over(W1) == ["r"]
    assert end_of(store, "r") == ("cancelled", OVERDUE)


def test_a_life_in_one_batch_keeps_its_deadline(store: Store) -> None:
    """It is not folded into a row that has none."""
    store.apply(W1, [created("r", held_as=C1, timeout_seconds=AN_HOUR), over("r", C1, "succeeded")])  # type: ignore[list-item]
    assert end_of(store, "r") == ("succeeded", None)
    assert store.pulse(W1, [""], [WORK]).next_due_at is None


def test_a_detached_child_outlives_its_parents_cancel(store: Store, store_url: str) -> None:
    """Its siblings do not, whether the parent was held, swept, or of a dead worker."""
    for number, parent in enumerate(("held", "swept", "dead")):
        mine = (C1, C2, C3)[number]
        store.apply(W2 if parent == "dead" else W1, [created(parent, held_as=mine)])
        children = [child(f"{parent} other", parent, mine, is_detached=True), child(f"{parent} own", parent, mine)]
        store.apply(W2 if parent == "dead" else W1, children)
    store.apply(W1, [parked("swept", C2, due_at=4_000_000_000.0)])
    for parent in ("held", "swept", "dead"):
        assert store.cancels.ask([parent])
    store.apply(W1, [finished("held", C1, "cancelled", None)])
    store.workers.take_over(W2)
    while store.cancels.sweep():
        pass
    for parent in ("held", "swept", "dead"):
        assert (state(store, parent), state(store, f"{parent} own")) == ("cancelled", "cancelled")
        assert state(store, f"{parent} other") == "ready"
    assert all(run.is_detached for run in claim(store, W1, slots=3))
