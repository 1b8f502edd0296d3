"""What people meet when the database is not as it should be: a clear error, and never the password."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from perdure.errors import StoreRefusedError, StoreUnavailableError, UnsupportedStoreError
from perdure.stores.postgres import PostgresStore, connections
from tests.stores.entries import C1, W1, created, join, recorded

MARK = "s3cr3t-w0rd"


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Host and database, what to do, and no password."""
    store = PostgresStore(f"postgresql://ann:{MARK}@/ledger?host={tmp_path}")
    with pytest.raises(StoreUnavailableError, match=r"'ledger' on .* as 'ann'.*is the server started") as caught:
        store.migrate()
    assert MARK not in str(caught.value)
    assert MARK not in repr(store)
    assert MARK not in repr(vars(store))


def test_a_refused_connection_says_so() -> None:
    """Port 1 of this machine, where nobody listens."""
    with pytest.raises(StoreUnavailableError, match=r"on 127.0.0.1 port 1.*does it listen on this host and port"):
        PostgresStore("postgresql://127.0.0.1:1/ledger").migrate()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{MARK}@host/db?no_such_setting=1",
        f"postgresql://ann:{MARK}%zz@host/db",
        f"postgresql://ann:{MARK}[x@host/db",
        f"postgresql://ann:x@{MARK}@127.0.0.1:1/db",
        f"postgresql://ann:x/{MARK}@127.0.0.1:1/db",
    ],
)
def test_a_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    """The driver's own message would quote it; the whole chain of errors is clean."""
    with pytest.raises((UnsupportedStoreError, StoreUnavailableError)) as caught:
        PostgresStore(url).migrate()
    assert MARK not in str(caught.value)
    assert caught.value.__cause__ is None or MARK not in str(caught.value.__cause__)
    assert caught.value.__suppress_context__


def test_a_missing_database_and_a_missing_role_are_told(postgres_url: str) -> None:
    """Both with what to do."""
    with pytest.raises(StoreUnavailableError, match=r'"nowhere" does not exist.*create it'):
        PostgresStore(make_conninfo(postgres_url, dbname="nowhere")).migrate()
    with pytest.raises(StoreUnavailableError, match=r'"nobody_at_all" does not exist.*create it'):
        PostgresStore(make_conninfo(postgres_url, user="nobody_at_all")).migrate()


def test_a_server_that_is_too_old_is_refused(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest supported version stands in the message."""
    monkeypatch.setattr(connections, "OLDEST_SERVER", 99)
    with pytest.raises(UnsupportedStoreError, match=r"Perdure needs 99 or newer; upgrade the server"):
        PostgresStore(postgres_url).migrate()


def test_a_database_that_cannot_hold_every_text_is_refused(postgres_url: str) -> None:
    """LATIN1 would refuse values later, one by one."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = f"{connection.info.dbname}_latin"
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'".encode())
        try:
            with pytest.raises(UnsupportedStoreError, match=r"LATIN1.*ENCODING 'UTF8'"):
                PostgresStore(make_conninfo(postgres_url, dbname=name)).migrate()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_a_database_without_the_schema_says_migrate(postgres_url: str) -> None:
    """Instead of a bare 'relation does not exist'."""
    store = PostgresStore(make_conninfo(postgres_url, dbname="postgres"))
    with pytest.raises(UnsupportedStoreError, match=r"migrate first"):
        store.runs.row("r")
    store.close()


def end_sessions(url: str) -> None:
    """What a restart of the server does to the store's connections."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'perdure%' "
            "AND datname = current_database()"
        )


def test_a_lost_connection_is_an_unknown_outcome_and_the_next_call_connects_again(postgres_url: str) -> None:
    """The same batch goes again and finds its traces, or makes them."""
    store = PostgresStore(postgres_url)
    join(store, W1)
    store.apply(W1, [created("a")])
    end_sessions(postgres_url)
    with pytest.raises(StoreUnavailableError):
        store.apply(W1, [created("b")])
    assert len(store.apply(W1, [created("a"), created("b")])) == 2
    assert store.runs.row("b") is not None
    store.close()


def test_a_question_does_not_notice_that_its_connection_had_died(postgres_url: str) -> None:
    """Servers and firewalls end idle sessions; what may be asked twice is asked on a new one."""
    store = PostgresStore(postgres_url)
    join(store, W1)
    store.workers.renew(W1)
    end_sessions(postgres_url)
    assert store.workers.renew(W1)
    assert store.runs.row("nobody") is None
    store.close()


@pytest.mark.parametrize("text", ["a\0b", "lone \ud800 surrogate"])
def test_a_value_that_the_database_cannot_hold_is_refused(postgres_url: str, text: str) -> None:
    """Sending it again cannot help, and the store says so; it goes on with the next."""
    store = PostgresStore(postgres_url)
    join(store, W1)
    store.apply(W1, [created("r", held_as=C1)])
    with pytest.raises(StoreRefusedError):
        store.apply(W1, [recorded("r", C1, key=text)])
    store.apply(W1, [recorded("r", C1)])
    store.close()


def test_commits_are_durable_whatever_the_server_says(own_postgres_url: str) -> None:
    """`synchronous_commit = off` would lose what was acknowledged."""
    with psycopg.connect(own_postgres_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET synchronous_commit = off".encode())
    store = PostgresStore(own_postgres_url)
    with store._database.spare() as spare, spare.transaction() as transaction:
        assert transaction.cursor.execute("SHOW synchronous_commit").fetchall() == [("on",)]
        assert transaction.cursor.execute("SHOW idle_in_transaction_session_timeout").fetchall() == [("5s",)]
        assert transaction.cursor.execute("SHOW jit").fetchall() == [("off",)]
    store.close()


def test_prepared_statements_can_be_left_out_for_poolers(postgres_url: str) -> None:
    """`prepare_threshold=none` in the URL; everything works the same."""
    store = PostgresStore(f"{postgres_url}&prepare_threshold=none")
    join(store, W1)
    store.apply(W1, [created("a")])
    store.apply(W1, [created("b")])
    with store._database.turn.transaction() as transaction:
        assert transaction.cursor.execute("SELECT count(*) FROM pg_prepared_statements").fetchall() == [(0,)]
    store.close()


def test_spare_connections_are_few(postgres_url: str) -> None:
    """However many threads ask."""
    store = PostgresStore(postgres_url)
    threads = [threading.Thread(target=lambda: [store.runs.row("r") for _ in range(20)]) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(store._database._spare) <= 4
    store.close()
