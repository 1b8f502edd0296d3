"""Steps in a database that is not Perdure's: the table that tells what was committed there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest

import perdure
from perdure import Transactions
from tests.transactions.conftest import accounts
from tests.transactions.sources import SQLITE
from tests.transactions.test_commits import named


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    """Another file with a table of the user's."""
    path = str(tmp_path / "theirs.db")
    with closing(sqlite3.connect(path)) as sqlite, sqlite:
        sqlite.execute("CREATE TABLE account (name text)")
    return path


def entering(theirs: str) -> Any:
    """A step that writes one row there."""

    @Transactions(SQLITE["sqlite3"].source(theirs)).step(name=named())
    def enter(connection: sqlite3.Connection, who: str) -> str:
        connection.execute("INSERT INTO account VALUES (?)", (who,))
        return who

    return enter


def test_a_run_that_starts_anew_does_it_anew(theirs: str, tmp_path: Path) -> None:
    """What its former life has committed is not the outcome of this one."""
    enter = entering(theirs)
    with perdure.running(tmp_path / "perdure.db"):
        assert perdure.with_options(id="x").start(enter, "ada").result(60) == "ada"
        perdure.runs.restart("x")
        assert perdure.handle("x").result(60) == "ada"
    assert accounts(theirs) == ["ada", "ada"]


def test_a_run_under_the_id_of_a_deleted_one_does_its_own(theirs: str, tmp_path: Path) -> None:
    """It was given the value of the other, and wrote nothing."""
    enter = entering(theirs)
    with perdure.running(tmp_path / "perdure.db"):
        assert perdure.with_options(id="x").start(enter, "ada").result(60) == "ada"
        perdure.runs.delete("x")
        assert perdure.with_options(id="x").start(enter, "bob").result(60) == "bob"
    assert accounts(theirs) == ["ada", "bob"]


@pytest.fixture
def their_postgres(postgres_url: str) -> Iterator[str]:
    """Another database, where the length of a text counts."""
    with psycopg.connect(postgres_url, autocommit=True) as postgres:
        postgres.execute("CREATE TABLE public.account (name text)")
    yield postgres_url
    with psycopg.connect(postgres_url, autocommit=True) as postgres:
        postgres.execute("DROP TABLE public.account, public.perdure_steps")


def test_an_id_may_be_as_long_as_ids_are(their_postgres: str, tmp_path: Path) -> None:
    """There, too."""

    @Transactions(lambda: psycopg.connect(their_postgres)).step(name=named())
    def enter(connection: psycopg.Connection[Any], who: str) -> None:
        connection.execute("INSERT INTO account VALUES (%s)", (who,))

    with perdure.running(tmp_path / "perdure.db"):
        perdure.with_options(id="x" * 500).start(enter, "ada").result(60)
    assert accounts(their_postgres) == ["ada"]


def test_two_may_make_the_table_at_once(their_postgres: str, tmp_path: Path) -> None:
    """Postgres says of the later one that it is there, whatever IF NOT EXISTS says."""
    barrier, turns = Barrier(2), count()

    class Meeting(psycopg.Connection[Any]):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            if "CREATE TABLE" in str(query) and next(turns) < 2:
                barrier.wait(30)
            return super().execute(query, *args, **kwargs)

    ledgers = [Transactions(lambda: Meeting.connect(their_postgres)) for _ in range(2)]

    def of(ledger: Transactions) -> Any:
        @ledger.step(name=named())
        def enter(connection: psycopg.Connection[Any], who: str) -> None:
            connection.execute("INSERT INTO account VALUES (%s)", (who,))

        return enter

    with perdure.running(tmp_path / "perdure.db"):
        handles = [perdure.start(of(ledger), "ada") for ledger in ledgers]
        for handle in handles:
            handle.result(60)
    assert accounts(their_postgres) == ["ada", "ada"]
