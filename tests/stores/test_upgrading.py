"""Workers of the release before go on while a migration of the next one is applied, and after it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count

import psycopg
import pytest

from perdure.stores.postgres import schema as postgres_schema
from perdure.stores.protocol import NothingDone, Store
from perdure.stores.sqlite import schema as sqlite_schema
from tests.stores.entries import claim, created, finished, join, named_uuid, recorded, sent, state
from tests.stores.noted.releases import MORE_KINDS
from tests.stores.noted.releases import opened as opened  # fixtures
from tests.stores.noted.releases import store_url as store_url

IS_SHARED = "GENERATED ALWAYS AS (is_keyed OR concurrency IS NOT NULL OR rate IS NOT NULL OR later = 'some')"
PATIENCE_SECONDS = 30.0
WORKERS = [named_uuid(f"worker {number}") for number in range(3)]


def tables_of(url: str) -> list[str]:
    """All that workers have to do with."""
    if url.startswith("postgres"):
        query = "SELECT relname FROM pg_class WHERE relnamespace = 'perdure'::regnamespace AND relkind = 'r' ORDER BY 1"
        with psycopg.connect(url) as connection:
            return [name for (name,) in connection.execute(query.encode())]
    with closing(sqlite3.connect(url)) as file:
        rows = file.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
        )
        return [name for (name,) in rows]


@contextmanager
def next_release(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Its migration gives every table a column, those that are locked first last, and makes one anew that follows from
    others.
    """
    with monkeypatch.context() as patched:
        if url.startswith("postgres"):
            texts = [f"ALTER TABLE perdure.{table} ADD COLUMN later text DEFAULT 'none';" for table in tables_of(url)]
            texts += ["ALTER TABLE perdure.queues DROP COLUMN is_shared;"]
            texts += [f"ALTER TABLE perdure.queues ADD COLUMN is_shared boolean NOT NULL {IS_SHARED} STORED;"]
            known = (*postgres_schema.migrations(), postgres_schema.Migration(2, "0002_later.sql", "\n".join(texts)))
            patched.setattr(postgres_schema, "migrations", lambda: known)
        else:
            lines = tuple(f"ALTER TABLE {table} ADD COLUMN later TEXT DEFAULT 'none';" for table in tables_of(url))
            lines += ("ALTER TABLE queues DROP COLUMN is_shared;",)
            lines += (f"ALTER TABLE queues ADD COLUMN is_shared INTEGER NOT NULL {IS_SHARED};",)
            files = (*sqlite_schema.migrations(), sqlite_schema.Migration(2, "0002_later.sql", lines))
            patched.setattr(sqlite_schema, "migrations", lambda: files)
        yield


class Working:
    """A worker of the release before, on a thread: it makes runs, claims, records, sends, looks and ends them."""

    def __init__(self, store: Store, worker_id: str) -> None:
        self._store = store
        self._worker_id = worker_id
        self._thread = threading.Thread(target=self._work)
        self._is_over = threading.Event()
        self.done = 0
        self.failure: BaseException | None = None
        self._thread.start()

    def _work(self) -> None:
        try:
            for number in count():
                if self._is_over.is_set():
                    return
                self._round(f"{self._worker_id} {number}")
                self.done += 1
        except BaseException as error:
            self.failure = error

    def _round(self, name: str) -> None:
        mine, other = named_uuid(f"claim of {name}"), f"{name} other"
        self._try(lambda: self._store.apply(self._worker_id, [created(name, held_as=mine), created(other)]))
        entries = [recorded(name, mine), sent(other, f"m {name}", mine)]
        self._try(lambda: self._store.apply(self._worker_id, entries))
        self._try(lambda: self._store.apply(self._worker_id, [finished(name, mine)]))
        self._try(self._claim_and_end)
        self._try(lambda: self._store.pulse(self._worker_id, [""], []))
        self._try(lambda: self._store.hear(self._worker_id, []))
        self._try(lambda: self._store.runs.histories([name, other]))
        self._try(lambda: self._store.finder.queues())

    def _claim_and_end(self) -> None:
        for run in claim(self._store, self._worker_id, slots=2):
            self._store.apply(self._worker_id, [finished(run.run_id, run.claim)])

    def _try(self, do: Callable[[], object]) -> None:
        """As the engine does: again, where the database says that it was busy and has done nothing."""
        while not self._is_over.is_set():
            with suppress(NothingDone):
                do()
                return

    def wait_for_more(self, rounds: int) -> None:
        """So many rounds from now on, without a failure."""
        until, deadline = self.done + rounds, time.monotonic() + PATIENCE_SECONDS
        while self.done < until and self._thread.is_alive():
            assert time.monotonic() < deadline, "it does not go on"
            self._thread.join(0.01)
        assert self.failure is None, self.failure

    def stop(self) -> None:
        """After the round that is under way."""
        self._is_over.set()
        self._thread.join()


def test_workers_of_the_release_before_go_on_while_tables_change(
    opened: Callable[..., Store], store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The migration comes through between them, and they use what they have prepared."""
    stores = [opened() for _ in WORKERS]
    join(stores[0], *WORKERS)
    working = [Working(store, worker_id) for store, worker_id in zip(stores, WORKERS, strict=True)]
    try:
        for one in working:
            one.wait_for_more(3)
        with next_release(store_url, monkeypatch):
            store = opened(kinds=MORE_KINDS)
        for one in working:
            one.wait_for_more(10)
    finally:
        for one in working:
            one.stop()
    assert state(store, f"{WORKERS[0]} 0") == "succeeded"


class Upgrading:
    """A process of the next release that starts, on a thread."""

    def __init__(self, start: Callable[[], object]) -> None:
        self._start = start
        self._thread = threading.Thread(target=self._run)
        self.failure: BaseException | None = None
        self._thread.start()

    def _run(self) -> None:
        try:
            self._start()
        except BaseException as error:
            self.failure = error

    def wait(self) -> None:
        """Until it has started."""
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        assert self.failure is None, self.failure


def wait_for_waiting(connection: psycopg.Connection) -> None:
    """Until a session of this database waits for a lock."""
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not connection.execute(query).fetchall():
        threading.Event().wait(0.001)


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_a_migration_lets_a_transaction_pass_that_it_meets(
    opened: Callable[..., Store], store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has had its fence, and comes to the runs' rows now: the migration takes no table before."""
    opened()
    with psycopg.connect(store_url) as worker, psycopg.connect(store_url, autocommit=True) as looking:
        worker.execute("SET deadlock_timeout = '1h'")
        worker.execute("SELECT 1 FROM perdure.workers FOR KEY SHARE")
        with next_release(store_url, monkeypatch):
            upgrading = Upgrading(lambda: opened(kinds=MORE_KINDS))
            wait_for_waiting(looking)
            worker.execute("SELECT 1 FROM perdure.runs FOR NO KEY UPDATE")
            worker.commit()
            upgrading.wait()


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_nobody_waits_behind_a_migration_that_waits(
    opened: Callable[..., Store], store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup reads a table for as long as it takes: work goes on, and the migration comes after it."""
    store = opened()
    join(store, *WORKERS)
    with psycopg.connect(store_url) as backup, psycopg.connect(store_url, autocommit=True) as looking:
        backup.execute("SELECT count(*) FROM perdure.runs")
        with next_release(store_url, monkeypatch):
            upgrading = Upgrading(lambda: opened(kinds=MORE_KINDS))
            wait_for_waiting(looking)
            working = Working(store, WORKERS[0])
            try:
                working.wait_for_more(10)
            finally:
                working.stop()
                backup.rollback()
            upgrading.wait()
