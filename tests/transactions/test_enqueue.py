"""Runs that are submitted in a transaction of the caller's own: they exist if and only if it commits."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

import perdure
from perdure import Client, DuplicateRunError, Queue, RunNotFoundError, Transactions, UsageError, step, workflow
from tests.transactions.sources import aconnecting, alchemy

with suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture

mails = Queue("mails of a transaction")


@step
def mail(to: str) -> str:
    """What is to be done once the order is committed."""
    return f"mail to {to}"


def engine(url: str, driver: str, **options: Any) -> sqlalchemy.Engine:
    """One that keeps no connection."""
    return sqlalchemy.create_engine(alchemy(url, driver), poolclass=NullPool, **options)


def aengine(url: str, driver: str) -> AsyncEngine:
    """The same."""
    return create_async_engine(alchemy(url, driver), poolclass=NullPool)


@dataclass(frozen=True)
class Way:
    """One kind of connection: how it is opened for a URL, whether it is async, and whether it tells of its commit."""

    open: Callable[[str], Any]
    is_async: bool = False
    tells: bool = False


POSTGRES = {
    "psycopg": Way(psycopg.connect),
    "psycopg-async": Way(lambda url: aconnecting(url)(), is_async=True),
    "connection": Way(lambda url: engine(url, "psycopg").connect()),
    "serializable": Way(lambda url: engine(url, "psycopg", isolation_level="SERIALIZABLE").connect()),
    "session": Way(lambda url: Session(engine(url, "psycopg")), tells=True),
    "async-connection": Way(lambda url: aengine(url, "psycopg").connect().start(), is_async=True),
    "async-session": Way(lambda url: AsyncSession(aengine(url, "psycopg")), is_async=True, tells=True),
}
SQLITE = {
    "sqlite3": Way(lambda url: sqlite3.connect(url, timeout=30)),
    "connection": Way(lambda url: engine(url, "pysqlite").connect()),
    "session": Way(lambda url: Session(engine(url, "pysqlite")), tells=True),
    "async-session": Way(lambda url: AsyncSession(aengine(url, "aiosqlite")), is_async=True, tells=True),
}
WAYS = [("postgres", name) for name in POSTGRES] + [("sqlite", name) for name in SQLITE]
KINDS = ["postgres", "sqlite"]


def url_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with Perdure's tables."""
    url = str(request.getfixturevalue("postgres_url")) if kind == "postgres" else str(tmp_path / "perdure.db")
    with Client(url) as client:
        client.migrate()
    return url


@pytest.fixture(params=WAYS, ids="-".join)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Way]:
    """A database, and a way to connect to it."""
    kind, name = request.param
    return url_of(kind, request, tmp_path), (POSTGRES if kind == "postgres" else SQLITE)[name]


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database, whatever the connection."""
    return url_of(request.param, request, tmp_path)


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """Who submits."""
    with Client(url) as opened:
        yield opened


def plain(url: str) -> Any:
    """A connection of the driver's own."""
    return psycopg.connect(url) if url.startswith("postgres") else sqlite3.connect(url, timeout=30)


async def told(answer: Any) -> Any:
    """The answer of a connection of either kind."""
    return await answer if isawaitable(answer) else answer


def submitted(place: tuple[str, Way], *, commits: bool) -> tuple[str, bool, bool]:
    """Submit in a transaction, end it; the run's id, and whether it was there before and after."""
    url, way = place

    async def go() -> tuple[str, bool, bool]:
        with Client(url) as client:
            connection = await told(way.open(url))
            options = client.with_options(connection=connection, queue=mails)
            if way.is_async:
                handle = await options.asubmit(mail, "ada")
            else:
                handle = options.submit(mail, "ada")
            before = is_there(client, handle.run_id)
            await told(connection.commit() if commits else connection.rollback())
            await told(connection.close())
            return handle.run_id, before, is_there(client, handle.run_id)

    return asyncio.run(go())


def is_there(client: Client, run_id: str) -> bool:
    """Whether others see the run."""
    try:
        return client.handle(run_id).status() == "ready"
    except RunNotFoundError:
        return False


def test_a_run_is_there_when_the_transaction_has_committed(place: tuple[str, Way]) -> None:
    """Not before."""
    assert submitted(place, commits=True)[1:] == (False, True)


def test_a_run_is_not_there_when_it_was_rolled_back(place: tuple[str, Way]) -> None:
    """Whatever else was done in it."""
    assert submitted(place, commits=False)[1:] == (False, False)


def test_a_worker_executes_it_soon_where_the_commit_is_told(place: tuple[str, Way]) -> None:
    """By a session of SQLAlchemy; on SQLite whoever looks sees that the file has changed. Else the poll finds it."""
    url, way = place

    async def go() -> str:
        connection = await told(way.open(url))
        handle = await mails.with_options(connection=connection).asubmit(mail, "bob")
        await told(connection.commit())
        await told(connection.close())
        return await handle

    is_told = way.tells or not url.startswith("postgres")
    with perdure.running(url, poll_seconds=60.0 if is_told else 0.2):
        assert asyncio.run(asyncio.wait_for(go(), 30)) == "mail to bob"


def test_what_is_undone_to_a_savepoint_is_not_there(url: str, client: Client) -> None:
    """Part of a transaction may be rolled back."""
    with closing(plain(url)) as connection:
        submit = client.with_options(connection=connection, id="kept").submit
        submit(mail, "ada")
        connection.execute("SAVEPOINT here")
        client.with_options(connection=connection, id="undone").submit(mail, "bob")
        connection.execute("ROLLBACK TO SAVEPOINT here")
        connection.commit()
    assert [is_there(client, run_id) for run_id in ("kept", "undone")] == [True, False]


def test_a_run_has_all_that_it_was_given(url: str, client: Client) -> None:
    """The same as if it had been submitted without a transaction."""
    given: dict[str, Any] = {
        "priority": 3,
        "delay": 3600,
        "attributes": {"tenant": "a"},
        "timeout": 60,
        "queue": "q",
        "key": "t",
    }
    handles = [client.with_options(dedup="a", **given).submit(mail, "ada")]
    with closing(plain(url)) as connection:
        handles.append(client.with_options(connection=connection, dedup="b", **given).submit(mail, "ada"))
        connection.commit()
    query = "SELECT * FROM perdure.runs" if url.startswith("postgres") else "SELECT * FROM runs"
    with closing(plain(url)) as connection:
        cursor = connection.execute(query)
        rows = [dict(zip([column[0] for column in cursor.description], row, strict=True)) for row in cursor.fetchall()]
    own = {"id", "seq", "created_at", "due_at", "deadline_at", "created_by", "dedup_key"}
    plainly, within = ({name: value for name, value in row.items() if name not in own} for row in rows)
    assert plainly == within
    assert all((row["deadline_at"] is None, row["due_at"] is None) == (False, False) for row in rows)
    assert client.runs.list(attributes={"tenant": "a"}).runs != []
    assert [client.runs.get(handle.run_id).attributes for handle in handles] == [{"tenant": "a"}] * 2


def test_many_are_made_at_once(url: str, client: Client) -> None:
    """In the same transaction, with as many statements as for one."""
    with closing(plain(url)) as connection:
        handles = client.with_options(connection=connection).submit_many(mail, [[str(n)] for n in range(1500)])
        connection.commit()
    assert len({handle.run_id for handle in handles}) == 1500
    assert is_there(client, handles[-1].run_id)


def test_a_duplicate_is_told_and_the_transaction_goes_on(url: str, client: Client) -> None:
    """What was done in it before and after is kept."""
    client.with_options(dedup="k").submit(mail, "first")
    with closing(plain(url)) as connection:
        client.with_options(connection=connection, id="before").submit(mail, "ada")
        with pytest.raises(DuplicateRunError):
            client.with_options(connection=connection, dedup="k").submit(mail, "second")
        with pytest.raises(perdure.RunExistsError):
            client.with_options(connection=connection, id="before").submit(mail, "another")
        shared = client.with_options(connection=connection, dedup="k", on_duplicate="return_existing")
        run_id = shared.submit(mail, "third").run_id
        client.with_options(connection=connection, id="after").submit(mail, "ada")
        connection.commit()
    assert [is_there(client, each) for each in ("before", "after", run_id)] == [True] * 3


def test_of_many_that_are_partly_there_the_others_are_made(url: str, client: Client) -> None:
    """Each has its own verdict; the transaction's end decides on all of them."""
    client.with_options(dedup="k").submit(mail, "first")
    with closing(plain(url)) as connection:
        options = client.with_options(connection=connection, dedup="k", on_duplicate="return_existing")
        handles = options.submit_many(mail, [["a"], ["b"]])
        connection.commit()
    assert handles[0].run_id == handles[1].run_id


def test_before_the_commit_there_is_no_outcome(url: str, client: Client) -> None:
    """Whoever asks is told at once, on threads and on event loops; nobody waits for a commit that may not come."""
    with closing(plain(url)) as connection:
        handle = client.with_options(connection=connection).submit(mail, "ada")
        for ask in (handle.result, handle.exception, lambda: asyncio.run(handle.wait()), handle.status):
            with pytest.raises(RunNotFoundError, match="there is no run"):
                ask()
        with pytest.raises(RunNotFoundError, match="not committed yet, or was rolled back"):
            handle.add_done_callback(print)
        connection.commit()
    with pytest.raises(TimeoutError):
        handle.result(0.01)


def test_a_connection_without_a_transaction_is_refused(url: str, client: Client) -> None:
    """The run would be there at once, whatever comes after."""
    with closing(plain(url)) as connection:
        connection.autocommit = True
        with pytest.raises(UsageError, match="autocommit mode and in no transaction"):
            client.with_options(connection=connection).submit(mail, "ada")
        connection.execute("BEGIN")
        client.with_options(connection=connection, id="begun").submit(mail, "ada")
        connection.execute("COMMIT")
    assert is_there(client, "begun")


@pytest.mark.parametrize("is_session", [True, False])
def test_so_is_one_of_sqlalchemy_in_autocommit(url: str, client: Client, is_session: bool) -> None:
    """It says so only once it is used."""
    driver = "psycopg" if url.startswith("postgres") else "pysqlite"
    its = engine(url, driver, isolation_level="AUTOCOMMIT")
    with (
        Session(its) if is_session else its.connect() as connection,
        pytest.raises(UsageError, match="autocommit mode"),
    ):
        client.with_options(connection=connection).submit(mail, "ada")
    assert client.runs.list().runs == []


def test_a_transaction_that_has_failed_takes_nothing(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The error says what to do; a closed connection is none."""
    url = url_of("postgres", request, tmp_path)
    with Client(url) as client, closing(psycopg.connect(url)) as connection:
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT 1/0")
        with pytest.raises(UsageError, match="has failed: roll it back"):
            client.with_options(connection=connection).submit(mail, "ada")
        connection.rollback()
        client.with_options(connection=connection, id="again").submit(mail, "ada")
        connection.commit()
        assert is_there(client, "again")
        connection.close()
        with pytest.raises(UsageError, match="closed"):
            client.with_options(connection=connection).submit(mail, "ada")


def test_another_database_is_refused(url: str, client: Client, tmp_path: Path) -> None:
    """A run there would never be executed. Nothing has happened to the transaction."""
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE account (name text)")
        other.execute("INSERT INTO account VALUES ('ada')")
        with pytest.raises(UsageError, match="does not reach"):
            client.with_options(connection=other).submit(mail, "ada")
        other.commit()
        assert other.execute("SELECT name FROM account").fetchall() == [("ada",)]


def test_another_postgres_database_is_refused(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Told by what it is, not by its address; also one without Perdure's tables."""
    url = url_of("postgres", request, tmp_path)
    with Client(url) as client, closing(psycopg.connect(url, dbname="postgres")) as other:
        with pytest.raises(UsageError, match="does not reach"):
            client.with_options(connection=other).submit(mail, "ada")
        assert other.execute("SELECT 1").fetchall() == [(1,)]


def test_what_is_no_connection_is_refused(client: Client) -> None:
    """With what can be given."""
    for given in (object(), "postgresql://", sqlalchemy.create_engine("sqlite://")):
        with pytest.raises(UsageError, match=r"connection=\w+: "):
            client.with_options(connection=given).submit(mail, "ada")


def test_an_async_connection_needs_asubmit(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A call that does not wait could not use it."""
    url = url_of("postgres", request, tmp_path)

    async def go() -> None:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            with pytest.raises(UsageError, match="asubmit"):
                client.with_options(connection=connection).submit(mail, "ada")

    with Client(url) as client:
        asyncio.run(go())


@workflow
def submits_itself(url: str) -> None:
    """It may not."""
    with closing(plain(url)) as connection:
        mails.with_options(connection=connection).submit(mail, "ada")


def test_a_workflow_cannot_submit_in_a_transaction(url: str) -> None:
    """It would again at every replay; the error says what can be done instead."""
    with perdure.running(url), pytest.raises(UsageError, match="best in one of Transactions"):
        submits_itself(url)


def test_a_transactional_step_submits_in_its_own_commit(url: str, client: Client) -> None:
    """Its outcome, its rows and the run: all of it or nothing. On SQLite too, where it holds the file."""
    ledger = Transactions(lambda: plain(url))
    failing = [True]

    kind = "postgres" if url.startswith("postgres") else "sqlite"  # their names: each is defined for both

    @ledger.step(retries=2, name=f"tests:order {kind}")
    def order(connection: Any, name: str) -> str:
        handle = mails.with_options(connection=connection, id=f"{name} {len(failing)}").submit(mail, name)
        if failing:
            failing.clear()
            raise OSError("the first attempt")
        return handle.run_id

    @workflow(name=f"tests:orders {kind}")
    def orders(name: str) -> str:
        return order(name)  # type: ignore[no-any-return]  # as it says

    with perdure.running(url):
        assert orders("ada") == "ada 0"
        assert perdure.handle("ada 0").result(30) == "mail to ada"
    with pytest.raises(RunNotFoundError):
        client.handle("ada 1")


def test_an_open_transaction_holds_back_its_key_and_nothing_else(url: str, client: Client) -> None:
    """Of a worker, too: after a moment its journal commits what does not wait for it."""
    if not url.startswith("postgres"):
        pytest.skip("a file has one writer")
    with perdure.running(url, poll_seconds=0.2), closing(plain(url)) as connection, ThreadPoolExecutor() as pool:
        client.with_options(connection=connection, dedup="k", id="mine", delay=3600).submit(mail, "ada")
        waiting = pool.submit(perdure.with_options(dedup="k", on_duplicate="return_existing").start, mail, "bob")
        assert perdure.start(mail, "carl").result(60) == "mail to carl"
        assert not waiting.done()
        connection.commit()
        assert waiting.result(60).run_id == "mine"
