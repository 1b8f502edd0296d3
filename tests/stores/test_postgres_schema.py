"""The Postgres schema: what is read is what is applied, once, by anybody who may, and never backwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import perdure
from perdure.errors import UnsupportedStoreError
from perdure.stores.postgres import PostgresStore
from tests.stores.entries import W1, W2, claim, created, join
from tests.stores.postgres_server import server_of

CATALOG = {
    "columns": "SELECT table_name, ordinal_position, column_name, data_type, is_nullable, column_default, is_identity "
    "FROM information_schema.columns WHERE table_schema = 'perdure'",
    "tables": "SELECT relname, relkind, reloptions FROM pg_class WHERE relnamespace = 'perdure'::regnamespace",
    "constraints": "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'perdure'::regnamespace",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'perdure'",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'perdure'",
}


@pytest.fixture
def empty_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without Perdure's schema."""
    with server_of(request.config).database(empty=True) as url:
        yield url


def catalog(url: str) -> dict[str, list[str]]:
    """Everything in schema perdure, as the server describes it."""
    with psycopg.connect(url) as connection:
        return {what: sorted(map(repr, connection.execute(query.encode()))) for what, query in CATALOG.items()}


def migrate(url: str) -> None:
    """As a starting process does."""
    store = PostgresStore(url)
    try:
        store.migrate()
    finally:
        store.close()


def as_role(url: str, role: str, *grants: str) -> str:
    """The URL for a role that is made here, with these rights and no others."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN".encode())
        for grant in grants:
            connection.execute(f"GRANT {grant} TO {role}".encode())
    return make_conninfo(url, user=role)


@pytest.fixture
def role(empty_url: str) -> Iterator[str]:
    """The name of a role that does not exist yet; dropped afterwards."""
    name = "perdure_stranger"
    yield name
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {name} CASCADE".encode())
        connection.execute(f"DROP ROLE {name}".encode())


def test_the_schema_for_reading_is_the_sum_of_the_migrations(own_postgres_url: str, empty_url: str) -> None:
    """Tables, columns, constraints, indexes and views are the same."""
    text = (files("perdure.stores.postgres") / "schema.sql").read_bytes()
    with psycopg.connect(empty_url) as connection:
        connection.execute(text)
    assert catalog(empty_url) == catalog(own_postgres_url)


def test_many_processes_may_migrate_at_once(empty_url: str) -> None:
    """One applies, the others wait and find it done."""
    failures: list[BaseException] = []

    def start() -> None:
        try:
            migrate(empty_url)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_schema_that_is_newer_than_the_code_is_refused(own_postgres_url: str) -> None:
    """The message says what to do."""
    with psycopg.connect(own_postgres_url) as connection:
        connection.execute("INSERT INTO perdure.migrations (version, name) VALUES (999, 'from the future')")
    with pytest.raises(UnsupportedStoreError, match=r"schema version 999.*upgrade Perdure"):
        migrate(own_postgres_url)


def test_a_role_that_may_not_create_the_schema_is_told_what_to_grant(empty_url: str, role: str) -> None:
    """Nothing is half made."""
    url = as_role(empty_url, role)
    with pytest.raises(UnsupportedStoreError, match=f"{role}' may not create the schema.*GRANT CREATE ON DATABASE"):
        migrate(url)


def test_a_role_that_owns_the_schema_needs_no_right_to_create_one(empty_url: str, role: str) -> None:
    """What the message above advises works: the schema is made for the role, which may create no other."""
    url = as_role(empty_url, role)
    with psycopg.connect(empty_url) as connection:
        connection.execute(f"CREATE SCHEMA perdure AUTHORIZATION {role}".encode())

    migrate(url)


def test_a_schema_of_somebody_else_is_not_touched(empty_url: str, role: str) -> None:
    """A role without rights on it learns whose it is."""
    migrate(empty_url)
    with pytest.raises(UnsupportedStoreError, match=r"belongs to 'postgres'.*may not use it"):
        migrate(as_role(empty_url, role))


def test_a_schema_with_other_tables_is_refused(empty_url: str) -> None:
    """It is somebody else's, whoever gave it the name; nothing is added to it."""
    with psycopg.connect(empty_url, autocommit=True) as server:
        server.execute("CREATE SCHEMA perdure; CREATE TABLE perdure.runs (id integer)")
        with pytest.raises(
            UnsupportedStoreError, match=r'no release of Perdure.*"runs" already exists.*another database'
        ):
            migrate(empty_url)
        tables = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'perdure'").fetchall()
    assert tables == [("runs",)]


def test_an_old_schema_of_somebody_else_is_brought_up_to_date_by_its_owner(empty_url: str, role: str) -> None:
    """The role may read it, not change it, and is told who can."""
    migrate(empty_url)
    with psycopg.connect(empty_url) as connection:
        connection.execute("DELETE FROM perdure.migrations")
    url = as_role(empty_url, role, "USAGE ON SCHEMA perdure", "SELECT ON perdure.migrations")
    with psycopg.connect(empty_url) as connection:
        connection.execute(f"GRANT USAGE ON SCHEMA perdure TO {role}".encode())
        connection.execute(f"GRANT SELECT ON perdure.migrations TO {role}".encode())
    with pytest.raises(UnsupportedStoreError, match=r"version 0.*belongs to 'postgres'.*Start Perdure once as"):
        migrate(url)


def test_migrating_what_is_up_to_date_needs_no_rights_to_change(empty_url: str, role: str) -> None:
    """A role that may only use the schema can start."""
    migrate(empty_url)
    url = as_role(empty_url, role, "USAGE ON SCHEMA perdure", "SELECT ON perdure.migrations")
    migrate(url)


def test_a_worker_that_holds_runs_cannot_be_removed(empty_url: str) -> None:
    """By nobody: no run is held by one that is not there. A worker that holds nothing can."""
    store = PostgresStore(empty_url)
    try:
        store.migrate()
        join(store, W1, W2)
        store.create([created("a")])
        claim(store, W1)
    finally:
        store.close()
    with psycopg.connect(empty_url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match=f"{W1} holds runs"):
            connection.execute("DELETE FROM perdure.workers")
        connection.execute("DELETE FROM perdure.workers WHERE id = %s", [W2])
        assert connection.execute("SELECT id::text FROM perdure.workers").fetchall() == [(W1,)]


def test_nothing_is_moved_by_a_role_that_cannot_close_the_database(empty_url: str, role: str, tmp_path: Path) -> None:
    """All would be in both, and go on in both."""
    migrate(empty_url)
    rows = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA perdure"
    granted = as_role(empty_url, role, "USAGE ON SCHEMA perdure", rows, "USAGE ON ALL SEQUENCES IN SCHEMA perdure")
    url = f"postgresql://?{urlencode(conninfo_to_dict(granted))}"
    other = str(tmp_path / "other.db")
    with perdure.Client(url) as client, perdure.Client(other) as there:
        client.submit("app:run")
        with pytest.raises(UnsupportedStoreError, match=r"belongs to .*Let .* move it"):
            client.move_to(other)
        assert (len(client.runs.list()), len(there.runs.list())) == (1, 0)
