"""A COMMIT without an answer, a claim that was lost, and another database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

import perdure
from perdure import Transactions
from perdure._api.app import current_runtime
from perdure.stores.open import open_store
from tests.transactions.conftest import accounts
from tests.transactions.sources import POSTGRES, SQLITE, Way
from tests.transactions.test_commits import named

SYNC = [("postgres", "psycopg"), ("sqlite", "sqlite3")]
every = pytest.mark.parametrize("kind_and_way", SYNC, ids="-".join, indirect=True)


def swallowing(connection: Any, *, commits: bool) -> Any:
    """The connection, whose COMMIT gives no answer, after it has happened or before."""
    commit = connection.commit

    def without_answer() -> None:
        if commits:
            commit()
        raise ConnectionResetError("no answer")

    connection.commit = without_answer
    return connection


def entering(ledger: Transactions, way: Way, calls: list[str]) -> Any:
    """A step that writes one row."""

    @ledger.step(name=named())
    def enter(connection: Any, who: str) -> str:
        calls.append(who)
        way.write(connection, who)
        return who

    return enter


@every
@pytest.mark.parametrize("commits", [True, False])
def test_a_commit_without_an_answer_is_found_out(
    way: Way, url: str, commits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed, its outcome is taken; else the error is the outcome, and the row is not there."""
    ledger = Transactions(way.source(url))
    opening = ledger._source.open

    def opened() -> Any:
        return swallowing(opening(), commits=commits)

    calls: list[str] = []
    enter = entering(ledger, way, calls)
    with perdure.running(url):
        enter_first = perdure.with_options(id="first").start(enter, "ada")
        assert enter_first.result(60) == "ada"  # what the source is was found out
        monkeypatch.setattr(ledger._source, "open", opened)
        handle = perdure.start(enter, "bob")
        if commits:
            assert handle.result(60) == "bob"
        else:
            with pytest.raises(ConnectionResetError):
                handle.result(60)
    assert calls == ["ada", "bob"]
    assert accounts(url) == (["ada", "bob"] if commits else ["ada"])


@pytest.mark.parametrize("kind_and_way", [("postgres", "psycopg")], ids="-".join, indirect=True)
def test_who_was_taken_over_commits_nothing(way: Way, url: str) -> None:
    """The last statement before COMMIT sees that the claim has ended; the run goes on under the next one."""
    ledger = Transactions(way.source(url))
    lost: list[str] = []

    @ledger.step(name=named())
    def enter(connection: Any, who: str) -> str:
        way.write(connection, who)
        if not lost:
            lost.append(current_runtime().worker.worker_id)
            with closing(open_store(url)) as other:
                assert other.workers.take_over(lost[0])
        return who

    with perdure.running(url, poll_seconds=0.05):
        assert perdure.start(enter, "ada").result(60) == "ada"
    assert accounts(url) == ["ada"]


@every
def test_who_was_taken_over_before_its_first_transaction_commits_nothing(
    way: Way, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is gone when it asks whether this is the run's database: it is, and not another one without a fence."""
    ledger = Transactions(way.source(url))
    opening, lost, calls = ledger._source.open, list[str](), list[str]()

    def opened() -> Any:
        if not lost:
            lost.append(current_runtime().worker.worker_id)
            with closing(open_store(url)) as other:
                assert other.workers.take_over(lost[0])
        return opening()

    monkeypatch.setattr(ledger._source, "open", opened)
    enter = entering(ledger, way, calls)
    with perdure.running(url, poll_seconds=0.05):
        assert perdure.start(enter, "ada").result(60) == "ada"
    assert accounts(url) == ["ada"]
    assert not any(ledger._is_here[worker] is False for worker in ledger._is_here)


@every
def test_nothing_can_be_started_in_a_transaction_of_the_same_file(way: Way, url: str, kind_and_way: Any) -> None:
    """It would wait for itself; on Postgres it does not."""
    ledger = Transactions(way.source(url))
    inner = entering(Transactions(way.source(url)), way, [])

    @ledger.step(name=named())
    def outer(connection: Any) -> str:
        perdure.start(inner, "ada")
        return "started"

    with perdure.running(url):
        if kind_and_way[0] == "sqlite":
            with pytest.raises(perdure.UsageError, match="nothing else can be written"):
                perdure.start(outer).result(60)
        else:
            assert perdure.start(outer).result(60) == "started"


def test_in_another_database_a_row_tells(tmp_path: Path) -> None:
    """An attempt that is repeated after its effect was committed takes what that gave."""
    theirs = str(tmp_path / "theirs.db")
    with closing(sqlite3.connect(theirs)) as sqlite, sqlite:
        sqlite.execute("CREATE TABLE account (name text)")
    way, calls = SQLITE["sqlite3"], []
    enter = entering(Transactions(way.source(theirs)), way, calls)
    with perdure.running(tmp_path / "perdure.db"):
        assert perdure.with_options(id="x").start(enter, "ada").result(60) == "ada"
    with closing(sqlite3.connect(tmp_path / "perdure.db")) as sqlite, sqlite:  # as if the process had ended before
        sqlite.execute("DELETE FROM outputs")
        sqlite.execute("UPDATE runs SET state = 'ready', finished_at = NULL, finished_by = NULL")
    with perdure.running(tmp_path / "perdure.db"):
        assert perdure.handle("x").result(60) == "ada"
    assert calls == ["ada"]
    assert accounts(theirs) == ["ada"]


def test_another_postgres_is_told_apart(tmp_path: Path, postgres_url: str) -> None:
    """Perdure works in a file, the user in a Postgres that has Perdure's schema as well."""
    with psycopg.connect(postgres_url, autocommit=True) as postgres:
        postgres.execute("CREATE TABLE public.account (name text)")
    try:
        way = POSTGRES["psycopg"]
        enter = entering(Transactions(way.source(postgres_url)), way, [])
        with perdure.running(tmp_path / "perdure.db"):
            assert perdure.start(enter, "ada").result(60) == "ada"
        assert accounts(postgres_url) == ["ada"]
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as postgres:
            postgres.execute("DROP TABLE public.account, public.perdure_steps")


@pytest.mark.parametrize("given", [object(), "postgresql://x", 3, psycopg.Connection])
def test_what_gives_no_connections_is_refused(given: object) -> None:
    """With what to give instead."""
    with pytest.raises(perdure.UsageError, match="give where connections come from"):
        Transactions(given)


def test_a_sync_body_needs_sync_connections() -> None:
    """And an async one async ones."""
    ledger = Transactions(POSTGRES["psycopg async"].source("postgresql://nowhere"))
    with pytest.raises(perdure.UsageError, match="make both the same"):

        @ledger.step
        def body(connection: Any) -> None: ...


def test_a_body_must_take_its_connection() -> None:
    """As its first parameter."""
    ledger = Transactions(SQLITE["sqlite3"].source("nowhere"))
    with pytest.raises(perdure.UsageError, match="first parameter"):

        @ledger.step
        def body() -> None: ...
