"""The database has one clock: what is due, delayed or written goes by it, and no lease does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import perdure
from perdure.stores.open import open_store
from perdure.stores.protocol import Store
from tests.inside.clock import skip_time
from tests.processes.waiting import wait_until
from tests.stores.conftest import KINDS
from tests.stores.entries import C1, W1, W2, WORK, claim, created, join, parked, state

AN_HOUR = 3600.0


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


def test_a_delay_is_counted_by_the_databases_clock(store: Store, store_url: str) -> None:
    """Whatever the clock of who submits says: an hour after the database has made it, no sooner."""
    skip_time(store_url, 5 * AN_HOUR)
    store.apply(W1, [created("r", delay_seconds=AN_HOUR)])
    assert claim(store, W1) == []
    run = store.runs.row("r")
    assert run is not None
    assert run.due_at == pytest.approx(run.created_at + AN_HOUR, abs=1.0)
    skip_time(store_url, 6 * AN_HOUR + 1)
    assert store.pulse(W1, [""], [WORK]).has_claimable
    assert [run.run_id for run in claim(store, W1)] == ["r"]


def test_a_sleeper_wakes_when_the_databases_time_has_come(store: Store, store_url: str) -> None:
    """The pulse says when that is, and the claim what time it is by then."""
    store.apply(W1, [created("r", held_as=C1)])
    run = store.runs.row("r")
    assert run is not None
    due_at = run.created_at + AN_HOUR
    store.apply(W1, [parked("r", C1, due_at=due_at)])
    assert store.pulse(W1, [""], [WORK]).next_due_at == pytest.approx(due_at, abs=0.01)
    assert claim(store, W1) == []
    skip_time(store_url, AN_HOUR)
    [woken] = claim(store, W1)
    assert woken.claimed_at >= due_at


def test_a_clock_that_leaps_makes_nobody_dead(store: Store, store_url: str) -> None:
    """A lease is over by what a worker has watched, not by a time that is compared (rule 10)."""
    seen = {worker.worker_id: worker.renewed_at for worker in store.workers.all()}
    store.apply(W1, [created("r")])
    assert len(claim(store, W1)) == 1
    skip_time(store_url, AN_HOUR)
    assert store.workers.renew(W1)
    assert store.workers.take_over(W1, seen=seen[W1]) is None
    assert state(store, "r") == "held"


@perdure.workflow(name="clock:naps")
def naps() -> str:
    """Sleeps for an hour, and then for another."""
    perdure.sleep(AN_HOUR)
    perdure.sleep(AN_HOUR)
    return "rested"


def test_a_run_sleeps_two_hours_in_no_time(store_url: str) -> None:
    """Whoever tests a workflow that waits for days need not: it parks, and the time is skipped."""
    with perdure.running(store_url, park_after_seconds=0.0, poll_seconds=0.02) as app:
        handle = perdure.start(naps)
        for hours in (1, 2):
            wait_until_it_sleeps(app, handle.run_id, hours)
            skip_time(store_url, hours * (AN_HOUR + 60))
        assert handle.result(20) == "rested"


def wait_until_it_sleeps(app: perdure.Perdure, run_id: str, times: int) -> None:
    """For the sleep of that number."""
    store = app._launched().store
    wait_until(lambda: len(store.runs.checkpoints(run_id)) == times and state(store, run_id) == "parked")
