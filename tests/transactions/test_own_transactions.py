"""Bodies that begin, commit or roll back transactions of their own: part of the step's, or refused."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.orm import sessionmaker

import perdure
from perdure import Transactions, UsageError
from tests.transactions.conftest import accounts
from tests.transactions.sources import SQLITE, Way, alchemy
from tests.transactions.test_commits import named

PSYCOPG = [("postgres", name) for name in ("psycopg", "psycopg autocommit", "psycopg async")]
ALCHEMY = [
    ("postgres", name) for name in ("sqlalchemy", "sqlalchemy session", "sqlalchemy async", "sqlalchemy async session")
]


def of(ways: list[tuple[str, str]]) -> pytest.MarkDecorator:
    """Run it with each of these."""
    ids = ["-".join(each).replace(" ", "-") for each in ways]
    return pytest.mark.parametrize("kind_and_way", ways, ids=ids, indirect=True)


def failing_step(way: Way, url: str, begins: Callable[[Any], Any]) -> Any:
    """A step that writes a row in a transaction that it begins itself, and raises afterwards."""
    ledger = Transactions(way.source(url))
    if way.is_async:

        @ledger.step(name=named())
        async def aenter(connection: Any) -> None:
            async with begins(connection):
                await way.write(connection, "ada")
            raise ValueError("after it")

        return aenter

    @ledger.step(name=named())
    def enter(connection: Any) -> None:
        with begins(connection):
            way.write(connection, "ada")
        raise ValueError("after it")

    return enter


@of(PSYCOPG)
def test_a_block_of_psycopg_is_a_part_of_the_transaction(way: Way, url: str) -> None:
    """Were it the outermost one it would commit without the step's outcome."""
    enter = failing_step(way, url, lambda connection: connection.transaction())
    with perdure.running(url), pytest.raises(ValueError, match="after it"):
        perdure.start(enter).result(60)
    assert accounts(url) == []


@of(ALCHEMY)
def test_sqlalchemy_refuses_to_begin_twice(way: Way, url: str) -> None:
    """As the block would commit without the step's outcome."""
    enter = failing_step(way, url, lambda connection: connection.begin())
    with perdure.running(url), pytest.raises(Exception, match="already"):
        perdure.start(enter).result(60)
    assert accounts(url) == []


@of([("postgres", "psycopg"), ("postgres", "sqlalchemy"), ("postgres", "sqlalchemy session"), ("sqlite", "sqlite3")])
@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_a_body_that_ends_its_transaction_is_told(way: Way, url: str, ends: str) -> None:
    """And its outcome is not recorded as if both were one commit."""
    ledger = Transactions(way.source(url))

    @ledger.step(name=named())
    def enter(connection: Any) -> None:
        way.write(connection, "ada")
        getattr(connection, ends)()

    with perdure.running(url), pytest.raises(Exception, match=rf"(?i)its transaction|explicit {ends}"):
        perdure.start(enter).result(60)


def test_so_is_one_whose_block_of_sqlite3_has_committed(tmp_path: Path) -> None:
    """`with connection:` does."""
    path = str(tmp_path / "perdure.db")
    ledger = Transactions(SQLITE["sqlite3"].source(path))

    @ledger.step(name=named())
    def enter(connection: sqlite3.Connection) -> None:
        with connection:
            connection.execute("CREATE TABLE account (name text)")

    with perdure.running(path), pytest.raises(UsageError, match="commit and rollback are not its to call"):
        perdure.start(enter).result(60)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sqlite3 has this mode from Python 3.12 on")
@pytest.mark.parametrize("autocommit", [True, False])
def test_both_new_modes_of_sqlite3_will_do(tmp_path: Path, autocommit: bool) -> None:
    """In one of them the driver's `commit()` does nothing, in the other it begins each transaction by itself."""
    path = str(tmp_path / "perdure.db")

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, check_same_thread=False, autocommit=autocommit)  # type: ignore[call-overload,unused-ignore]

    @Transactions(connect).step(name=named())
    def enter(connection: sqlite3.Connection, fails: bool) -> None:
        connection.execute("INSERT INTO account VALUES (?)", ("bob" if fails else "ada",))
        if fails:
            raise ValueError("after it")

    with perdure.running(path):
        with closing(sqlite3.connect(path)) as sqlite:
            sqlite.execute("CREATE TABLE account (name text)")
        perdure.start(enter, False).result(60)
        with pytest.raises(ValueError, match="after it"):
            perdure.start(enter, True).result(60)
    assert accounts(path) == ["ada"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sqlite3 has this mode from Python 3.12 on")
def test_an_engine_whose_driver_does_not_commit_is_refused(tmp_path: Path) -> None:
    """It would keep the file's write lock for ever."""
    path = str(tmp_path / "perdure.db")
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", connect_args={"autocommit": True})

    @Transactions(engine).step(name=named())
    def enter(connection: sqlalchemy.Connection) -> None: ...

    with perdure.running(path), pytest.raises(UsageError, match="autocommit"):
        perdure.start(enter).result(60)


def test_an_engine_in_autocommit_mode_is_refused(postgres_url: str) -> None:
    """Each statement would be a commit. The body does not begin."""
    engine = sqlalchemy.create_engine(alchemy(postgres_url, "psycopg"), isolation_level="AUTOCOMMIT")
    for source in (engine, sessionmaker(engine)):
        calls: list[str] = []

        @Transactions(source).step(name=named())
        def enter(connection: Any) -> None:
            calls.append("begun")  # noqa: B023  # called in this round

        with perdure.running(postgres_url), pytest.raises(UsageError, match="autocommit"):
            perdure.start(enter).result(60)
        with pytest.raises(UsageError, match="autocommit"):
            enter()
        assert calls == []


def test_a_sessionmaker_without_autobegin_will_do(postgres_url: str) -> None:
    """The transaction is begun for the body."""
    engine = sqlalchemy.create_engine(alchemy(postgres_url, "psycopg"))

    @Transactions(sessionmaker(engine, autobegin=False)).step(name=named())
    def ask(session: Any) -> int:
        return int(session.execute(sqlalchemy.text("SELECT 7")).scalar_one())

    with perdure.running(postgres_url):
        assert perdure.start(ask).result(60) == 7


def test_what_was_set_when_the_connection_was_made_holds(postgres_url: str) -> None:
    """A function that connects may set something, which begins a transaction in psycopg."""

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(postgres_url)
        connection.execute("SET application_name = 'ledger'")
        return connection

    @Transactions(connect).step(name=named())
    def ask(connection: psycopg.Connection[Any]) -> str:
        return str(connection.execute("SHOW application_name").fetchall()[0][0])

    with perdure.running(postgres_url):
        assert perdure.start(ask).result(60) == "ledger"


def test_a_body_that_raises_generator_exit_gives_its_connection_back(tmp_path: Path) -> None:
    """It is thrown through a generator, which may take it for its own end."""
    engine = sqlalchemy.create_engine(alchemy(str(tmp_path / "perdure.db"), "pysqlite"))

    @Transactions(engine).step(name=named())
    def leave(connection: Any) -> None:
        raise GeneratorExit

    with pytest.raises(GeneratorExit):
        leave()
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of the pool that it has by default
    engine.dispose()
