"""Schedules as rows: they are written over what was seen, and fired once, whoever else writes or dies (rule 18)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perdure._entries import RunCreated, Stored
from perdure.stores.open import open_store
from perdure.stores.protocol import Fenced, Firing, ScheduleRow, Store
from tests.stores.entries import W1, W2, OpenAnother, created, join, state

ROOT = Path(__file__).resolve().parents[2]
LONG_AGO = 1_000_000_020.0
"""An instant of every minute."""


def row(name: str = "s", **changes: Any) -> ScheduleRow:
    """One that is due since long ago."""
    values: dict[str, Any] = {
        "function": "app:work",
        "kind": "workflow",
        "queue": "q",
        "priority": 0,
        "max_attempts": 10,
        "fingerprint": "f1",
        "input": Stored("json", "[]"),
        "cron": "* * * * *",
        "timezone": "Europe/Berlin",
        "every_seconds": None,
        "once_at": None,
        "jitter_seconds": 0.5,
        "overlap": "skip",
        "catch_up": "latest",
        "next_instant": LONG_AGO,
        "next_at": LONG_AGO + 0.25,
    }
    return ScheduleRow(name=name, **(values | changes))


def firing(*run_ids: str, version: int = 1, name: str = "s", **changes: Any) -> Firing:
    """Runs, and a next time that is also over."""
    runs: list[RunCreated] = [created(run_id, entry_id=run_id) for run_id in run_ids]
    values: dict[str, Any] = {
        "cancels": None,
        "last_instant": LONG_AGO,
        "skipped_at": None,
        "next_instant": LONG_AGO + 60,
        "next_at": LONG_AGO + 60,
    }
    return Firing(name=name, version=version, runs=runs, **(values | changes))


def test_a_schedule_comes_back_as_it_was_written(store: Store) -> None:
    """Under the next version."""
    given = row(paused_at=5.0, last_instant=1.5, last_run_id="r", skipped_at=2.25, declared="d", priority=-3)
    assert store.schedules.write(given)
    assert store.schedules.get("s") == replace(given, version=1)
    assert store.schedules.get("none") is None
    once = row("a", cron=None, timezone=None, once_at=7.0, next_instant=None, next_at=None)
    assert store.schedules.write(once)
    assert store.schedules.all() == [replace(once, version=1), replace(given, version=1)]


def test_a_row_is_written_over_the_version_that_was_seen(store: Store) -> None:
    """And over no other one; one that is gone does not come back."""
    store.schedules.write(row())
    assert not store.schedules.write(row(priority=1))
    assert not store.schedules.write(row(priority=1, version=2))
    assert store.schedules.write(row(priority=1, version=1))
    found = store.schedules.get("s")
    assert found is not None
    assert (found.priority, found.version) == (1, 2)
    assert store.schedules.delete("s")
    assert not store.schedules.delete("s")
    assert not store.schedules.write(row(version=2))


def test_what_is_due_is_found(store: Store) -> None:
    """By the database's clock: what is past, and not paused, the longest due first."""
    later = store.schedules.now() + 3600
    store.schedules.write(row("b", next_instant=LONG_AGO - 60, next_at=LONG_AGO - 60))
    store.schedules.write(row("a"))
    store.schedules.write(row("paused", paused_at=1.0))
    store.schedules.write(row("over", next_instant=None, next_at=None))
    store.schedules.write(row("later", next_instant=later, next_at=later))
    due = store.schedules.due(10)
    assert [one.row.name for one in due] == ["b", "a"]
    assert [one.row.name for one in store.schedules.due(1)] == ["b"]
    assert later - 3600.001 < due[0].now < later
    pulse = store.pulse(W1, [], [])
    assert (pulse.has_schedules, pulse.next_due_at) == (True, pytest.approx(later))


def test_one_that_waits_is_not_due(store: Store) -> None:
    """While the run that it started last has not ended; others are told that it runs."""
    store.create([created("r")])
    store.schedules.write(row("waits", overlap="queue", last_run_id="r"))
    store.schedules.write(row("skips", last_run_id="r"))
    [one] = store.schedules.due(10)
    assert (one.row.name, one.is_running) == ("skips", True)
    store.cancels.ask(["r"])
    store.cancels.sweep()
    assert [(one.row.name, one.is_running) for one in store.schedules.due(10)] == [("skips", False), ("waits", False)]


def test_a_firing_makes_runs_and_steps_forward(store: Store) -> None:
    """In one; what it does not say stays."""
    join(store, W1)
    store.schedules.write(row(skipped_at=5.0))
    assert store.schedules.fire(W1, firing("r1", "r2"))
    found = store.schedules.get("s")
    assert found is not None
    assert (found.next_at, found.last_instant, found.last_run_id) == (LONG_AGO + 60, LONG_AGO, "r2")
    assert (found.version, found.skipped_at) == (2, 5.0)
    assert [state(store, run_id) for run_id in ("r1", "r2")] == ["ready", "ready"]
    assert store.schedules.fire(W1, firing(version=2, last_instant=None, next_instant=None, next_at=None))
    found = store.schedules.get("s")
    assert found is not None
    assert (found.next_at, found.last_run_id) == (None, "r2")
    assert store.schedules.due(10) == []


def test_a_run_that_is_there_is_not_made_again(store: Store) -> None:
    """As after a backfill: the others are made."""
    join(store, W1)
    store.create([created("r1", entry_id="r1")])
    store.schedules.write(row())
    assert store.schedules.fire(W1, firing("r1", "r2"))
    assert [state(store, run_id) for run_id in ("r1", "r2")] == ["ready", "ready"]


def test_an_older_run_is_cancelled_in_the_same_transaction(store: Store) -> None:
    """Which any worker then ends."""
    join(store, W1)
    store.create([created("old")])
    store.schedules.write(row(overlap="cancel", last_run_id="old"))
    assert store.schedules.fire(W1, firing("new", cancels="old"))
    assert store.cancels.sweep() == ["old"]


@pytest.mark.parametrize("changed", ["edited", "paused", "fired", "deleted"])
def test_what_has_changed_is_not_fired(store: Store, changed: str) -> None:
    """The row decides, not what somebody has seen of it."""
    join(store, W1, W2)
    store.schedules.write(row())
    if changed == "deleted":
        store.schedules.delete("s")
    elif changed == "fired":
        store.schedules.fire(W2, firing("other"))
    else:
        store.schedules.write(row(version=1, paused_at=1.0 if changed == "paused" else None))
    assert not store.schedules.fire(W1, firing("r"))
    assert not store.schedules.fire(W1, firing("r", version=2)) or changed != "paused"
    assert store.runs.row("r") is None or changed in ("edited", "fired")


def test_a_fenced_worker_fires_nothing(store: Store) -> None:
    """It has no right to write."""
    join(store, W1)
    store.schedules.write(row())
    store.workers.take_over(W1)
    with pytest.raises(Fenced):
        store.schedules.fire(W1, firing("r"))
    assert store.runs.row("r") is None
    assert [one.row.version for one in store.schedules.due(1)] == [1]


def test_of_many_workers_one_fires(store: Store, open_another: OpenAnother) -> None:
    """Two stores at the same moment, again and again: each version is stepped from once, and each run is there."""
    stores = [store, open_another()]
    join(store, W1, W2)
    store.schedules.write(row())
    won: list[int] = []
    start = threading.Barrier(2)

    def race(own: Store, me: str) -> None:
        for version in range(1, 31):
            start.wait(30)
            if own.schedules.fire(me, firing(f"r{version}", version=version)):
                won.append(version)

    threads = [threading.Thread(target=race, args=args) for args in zip(stores, (W1, W2), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(won) == list(range(1, 31))
    assert {state(store, f"r{version}") for version in range(1, 31)} == {"ready"}


def fire_and_die(url: str) -> None:
    """The program of the next test: for every number that it is given, a child fires, and is killed before the
    statement of that number; how it ended is said.
    """
    for line in sys.stdin:
        child = os.fork()
        if not child:
            store, left = open_store(url), iter(range(int(line)))

            def count(name: str, left: Iterator[int] = left) -> None:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            store.on_statement = count  # type: ignore[attr-defined]  # the stores' own hook, not in the protocol
            store.schedules.fire(W1, firing("r1", "r2", cancels="old"))
            os._exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def test_a_kill_between_any_two_statements_leaves_all_or_nothing(store: Store, store_url: str) -> None:
    """However far it came, the next worker fires what was not fired, and each run is there once."""
    join(store, W1, W2)
    command = f"from tests.stores.test_schedules import fire_and_die; fire_and_die({store_url!r})"
    ends: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-c", command], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        while 0 not in ends:
            store.create([created("old")])
            store.schedules.write(row(overlap="cancel", last_run_id="old"))
            program.stdin.write(f"{len(ends)}\n")
            program.stdin.flush()
            ends.append(int(program.stdout.readline()))
            found = store.schedules.get("s")
            assert found is not None
            is_fired = store.runs.row("r1") is not None
            assert is_fired == (found.version == 2) == (store.runs.row("r2") is not None), ends
            assert store.schedules.fire(W2, firing("r1", "r2", cancels="old")) is not is_fired
            assert store.cancels.sweep() == ["old"]
            _forget(store, store_url)
        program.stdin.close()
    assert ends == [-signal.SIGKILL] * (len(ends) - 1) + [0]
    assert len(ends) > 4


def _forget(store: Store, url: str) -> None:
    """Everything but the workers."""
    store.schedules.delete("s")
    tables = ("attributes", "wakes", "waits", "messages", "inputs", "outputs", "runs")
    if url.startswith("postgresql"):
        import psycopg

        with psycopg.connect(url) as postgres:
            for table in tables:
                postgres.execute(f"DELETE FROM perdure.{table}".encode())  # noqa: S608  # a constant
        return
    import sqlite3

    sqlite = sqlite3.connect(url, isolation_level=None, timeout=30)
    for table in tables:
        sqlite.execute(f"DELETE FROM {table}")  # noqa: S608  # a constant
    sqlite.close()
