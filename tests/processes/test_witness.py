"""Rule 10: who is dead by lease is what a worker has itself seen, by a clock that only passes."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import perdure
from perdure._engine.membership.witness import LockWitness, Witness
from perdure._engine.membership.worker import Worker
from perdure.errors import StoreUnavailableError
from perdure.stores.protocol import Locks, Store, WorkerRow
from tests.processes.conftest import Console, Program, Rows, bodies
from tests.processes.waiting import wait_until
from tests.stores.conftest import open_another as open_another  # fixtures
from tests.stores.conftest import store as store
from tests.stores.entries import C1, W1, created, join, state

LEASE = 30.0


class Watch:
    """A witness, and a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.unbroken_since = 0.0
        self.witness = Witness()

    def sees(self, renewed_at: float, *, later: float = 0.0) -> bool:
        """Whether it calls a worker dead whose row says this."""
        self.now += later
        row = WorkerRow(W1, "host", 1, renewed_at, LEASE)
        silent = self.witness.look([row], asked_at=self.now, answered_at=self.now, unbroken_since=self.unbroken_since)
        return silent == [row]


def test_a_row_that_does_not_change_for_one_lease_is_a_dead_workers() -> None:
    """Not before that."""
    watch = Watch()
    assert not watch.sees(5.0)
    assert not watch.sees(5.0, later=LEASE)
    assert watch.sees(5.0, later=1.0)


@pytest.mark.parametrize("step", [3600.0, -3600.0, 0.001])
def test_a_clock_that_is_set_makes_nobody_dead(step: float) -> None:
    """Forward or back, on the machine of the database or of the worker: a row that changes is a living worker's."""
    watch, renewed_at = Watch(), 5.0
    for _ in range(10):
        renewed_at += step
        assert not watch.sees(renewed_at, later=LEASE / 3)


def test_what_was_seen_before_a_gap_is_no_evidence() -> None:
    """After an outage all are as silent as the one who looks, and who comes first must not bury the others."""
    watch = Watch()
    assert not watch.sees(5.0)
    watch.unbroken_since = watch.now + LEASE - 1.0
    assert not watch.sees(5.0, later=LEASE + 1.0)
    assert not watch.sees(5.0, later=LEASE - 2.0)
    assert watch.sees(5.0, later=1.0)


def test_the_time_that_a_look_takes_counts_for_nobody() -> None:
    """A database that answers late."""
    witness, row = Witness(), WorkerRow(W1, "host", 1, 5.0, LEASE)
    witness.look([row], asked_at=0.0, answered_at=20.0, unbroken_since=-100.0)
    assert witness.look([row], asked_at=49.0, answered_at=90.0, unbroken_since=-100.0) == []
    assert witness.look([row], asked_at=51.0, answered_at=52.0, unbroken_since=-100.0) == [row]


def test_a_lease_is_judged_by_its_own_length() -> None:
    """Processes may have different settings."""
    witness = Witness()
    rows = [WorkerRow(W1, "host", 1, 5.0, 10.0), WorkerRow("other", "host", 2, 5.0, 100.0)]
    witness.look(rows, asked_at=0.0, answered_at=0.0, unbroken_since=-100.0)
    assert witness.look(rows, asked_at=11.0, answered_at=11.0, unbroken_since=-100.0) == rows[:1]


class Renewing:
    """A worker of which the test has the clock and the database's answers."""

    def __init__(self, store: Store, path: Path) -> None:
        self.now = 0.0
        store.lock_directory = str(path)
        self.worker = Worker(store, lease_seconds=LEASE, on_lost=lambda worker_id: None, clock=lambda: self.now)
        self.worker.join()

    def renews(self, *, at: float) -> None:
        """The heartbeat comes through."""
        self.now = at
        self.worker._renew()


def test_an_outage_that_is_shorter_than_a_lease_breaks_what_was_seen(store: Store, tmp_path: Path) -> None:
    """One renewal that failed is enough: that of the victim may have failed too, and comes a moment later."""
    mine = Renewing(store, tmp_path)
    mine.renews(at=10.0)
    mine.renews(at=20.0)
    assert mine.worker.unbroken_since == 0.0
    mine.renews(at=20.0 + LEASE - 1.0)
    assert mine.worker.unbroken_since == 20.0 + LEASE - 1.0


def test_who_has_not_renewed_lately_has_seen_nothing(store: Store, tmp_path: Path) -> None:
    """It may just have been woken, and its heartbeat has not come to it yet."""
    mine = Renewing(store, tmp_path)
    mine.renews(at=10.0)
    mine.now = 10.0 + LEASE - 1.0
    assert mine.worker.may_start
    assert mine.worker.unbroken_since == mine.now
    mine.worker.leave(1.0)


def test_after_an_outage_the_lease_is_renewed_soon(store_url: str) -> None:
    """Not after a third of its length: others may be watching."""
    with perdure.running(store_url, poll_seconds=3600.0, lease_seconds=30.0) as app:
        worker = app._launched().worker
        fails = iter([StoreUnavailableError("once"), StoreUnavailableError("twice")])

        def renew(worker_id: str) -> bool:
            for failure in fails:
                raise failure
            return True

        beating = Worker(app._launched().store, lease_seconds=30.0, on_lost=lambda worker_id: None)
        workers = SimpleNamespace(renew=renew, leave=lambda worker_id: None)
        beating._store = SimpleNamespace(workers=workers)  # type: ignore[assignment]  # as above
        assert [beating._beat() for _ in range(4)] == [1.0, 1.0, 10.0, 10.0]
        assert worker.may_start


def test_a_worker_that_joins_again_takes_its_lock_at_once(store: Store, tmp_path: Path) -> None:
    """Its machine may vanish the moment after: without a lock that is known when its lease has run out."""
    mine, poked = Renewing(store, tmp_path).worker, list[bool]()
    mine.line._session = SimpleNamespace(poke=lambda: poked.append(True))  # type: ignore[assignment]  # the test's own
    mine.join()
    assert poked == [True]


@pytest.mark.parametrize("hours", [1, -1])
def test_rows_with_another_time_of_day_make_nobody_dead(
    console: Console, store: Store, rows: Rows, ledger: Path, hours: int
) -> None:
    """As after a clock was set: whatever the row of a worker that renews says, it is not taken over."""
    first, second = console(lease_seconds=0.6, poll_seconds=0.05), console(lease_seconds=0.6, poll_seconds=0.05)
    first.run("h = perdure.with_options(id='x').start(hold, 'x') and None")
    first.run("wait_for(began['x'])")
    before = rows.ask("SELECT id FROM workers ORDER BY id")
    shift = f"+ interval '{hours} hours'" if rows._is_postgres else f"+ {hours * 3600}"
    seen: set[Any] = set()

    def set_the_clock() -> bool:
        seen.update(rows.ask("SELECT renewed_at FROM workers"))
        rows.ask(f"UPDATE workers SET renewed_at = renewed_at {shift}")  # noqa: S608  # the test's own text
        return len(seen) > 12

    wait_until(set_the_clock)
    assert rows.ask("SELECT id FROM workers ORDER BY id") == before
    first.run("may_end['x'].set()")
    assert second.run("perdure.handle('x').result(20)") == "x"
    assert bodies(ledger) == ["x:0", "x:1"]


def test_a_worker_that_is_gone_without_a_lock_file_is_taken_over_after_a_lease(store: Store, store_url: str) -> None:
    """As one of another machine: nothing but its silence tells."""
    join(store, W1, lease_seconds=0.3)
    store.apply(W1, [created("r", held_as=C1)])
    with perdure.running(store_url, poll_seconds=0.05, lease_seconds=0.3):
        wait_until(lambda: state(store, "r") == "ready")


def test_two_workers_of_one_host_name_and_pid_are_two(store: Store, store_url: str) -> None:
    """Containers are often called alike: neither the name nor the number is an identity."""
    join(store, W1, lease_seconds=0.3)  # "host", 4711: as the next, which lives
    store.apply(W1, [created("r", held_as=C1)])
    with perdure.running(store_url, poll_seconds=0.05, lease_seconds=0.3) as app:
        rows = Rows(store_url)
        rows.ask("UPDATE workers SET hostname = 'host', pid = 4711")
        wait_until(lambda: state(store, "r") == "ready")
        assert [row.worker_id for row in store.workers.all()] == [app._launched().worker.worker_id]


def stop_outside_a_write(program: Program, rows: Rows) -> None:
    """Stopped within one it keeps a SQLite file locked, and nobody can take it over."""
    with ExitStack() as held:
        if not rows._is_postgres:
            writing = held.enter_context(closing(sqlite3.connect(rows._url, isolation_level=None, timeout=30)))
            writing.execute("BEGIN IMMEDIATE")
        program.send(signal.SIGSTOP)
        os.waitpid(program.pid, os.WUNTRACED)


def test_a_stopped_worker_is_taken_over_though_it_keeps_its_lock(console: Console, rows: Rows, ledger: Path) -> None:
    """A held lock does not protect who has not renewed for a lease; short stops are nobody's death."""
    first, second = console(lease_seconds=2.0), console(lease_seconds=2.0)
    second.run("may_end['x'].set()")
    first.run("h = perdure.with_options(id='x').start(hold, 'x') and None")
    first.run("wait_for(began['x'])")
    for _ in range(5):
        first.send(signal.SIGSTOP)
        assert first.lives_for(0.2)
        first.send(signal.SIGCONT)
        assert first.run("1") == 1
    assert bodies(ledger, second.pid) == []
    stop_outside_a_write(first, rows)
    assert second.run("perdure.handle('x').result(20)") == "x"
    first.send(signal.SIGCONT)


class LockWatch:
    """A witness of locks, and a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.witness = LockWitness()

    def sees(self, *, held: bool, later: float = 0.0, session: int = 1) -> bool:
        """Whether it calls dead a worker whose lock is held or free."""
        self.now += later
        ids = frozenset({W1})
        locks = Locks(session, ids if held else frozenset(), frozenset() if held else ids)
        return self.witness.look(locks, asked_at=self.now, answered_at=self.now) == [W1]


def test_a_lock_that_was_held_and_is_free_twice_is_a_dead_workers() -> None:
    """Once is not enough: its worker may just be taking it in a new session."""
    watch = LockWatch()
    assert not watch.sees(held=True)
    assert not watch.sees(held=False, later=0.3)
    assert not watch.sees(held=False, later=0.2)
    assert watch.sees(held=False, later=0.2)


def test_a_lock_that_is_taken_again_is_a_living_workers() -> None:
    """And what was seen of it before counts no more."""
    watch = LockWatch()
    for _ in range(5):
        assert not watch.sees(held=True, later=0.3)
        assert not watch.sees(held=False, later=0.3)
        assert not watch.sees(held=False, later=0.2)


def test_a_lock_that_was_never_seen_held_must_be_free_for_longer() -> None:
    """The taker has just started, or its session has: so may the worker's have."""
    watch = LockWatch()
    assert not any(watch.sees(held=False, later=0.3) for _ in range(17))
    assert watch.sees(held=False, later=0.3)


def test_what_another_session_has_seen_is_forgotten() -> None:
    """A server that starts again drops everybody's locks."""
    watch = LockWatch()
    assert not watch.sees(held=True)
    assert not watch.sees(held=False, later=0.3)
    assert not watch.sees(held=False, later=0.4, session=2)
    assert not watch.sees(held=False, later=0.4, session=2)
    assert not any(watch.sees(held=False, later=0.3, session=2) for _ in range(14))


def test_who_was_stopped_has_watched_nobody() -> None:
    """Of a gap between two looks a second counts."""
    watch = LockWatch()
    assert not watch.sees(held=False)
    assert not watch.sees(held=False, later=3600.0)
    assert not watch.sees(held=False, later=3600.0)
