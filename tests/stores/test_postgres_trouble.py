"""What a server may do to a process: slow statements, foreign locks, lost permissions, another primary, any session."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from perdure._entries import Accepted
from perdure.errors import StoreError, StoreRefusedError, UnsupportedStoreError
from perdure.stores.postgres import PostgresStore
from perdure.stores.protocol import NothingDone
from tests.stores.entries import C1, C2, W1, claim, created, finished, join, parked, recorded, released


@pytest.fixture
def postgres(own_postgres_url: str) -> Iterator[PostgresStore]:
    """A store with a worker, and a database whose settings may be changed."""
    store = PostgresStore(own_postgres_url)
    join(store, W1)
    yield store
    store.close()


@pytest.fixture
def admin(own_postgres_url: str) -> Iterator[psycopg.Connection]:
    """Whoever works on the database with psql."""
    with psycopg.connect(own_postgres_url, autocommit=True) as connection:
        yield connection


SETTINGS = [
    ("statement_timeout", "'100ms'"),
    ("lock_timeout", "'100ms'"),
    ("default_transaction_isolation", "'repeatable read'"),
    ("synchronous_commit", "off"),
    ("idle_in_transaction_session_timeout", "0"),
]


@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_a_session_has_our_limits_whatever_the_database_says(
    postgres: PostgresStore, admin: psycopg.Connection, name: str, value: str
) -> None:
    """Many hosted databases give their roles a statement timeout."""
    postgres.close()
    [(database,)] = admin.execute("SELECT current_database()")
    admin.execute(f"ALTER DATABASE {database} SET {name} = {value}".encode())
    assert postgres.apply(W1, [created("r")]) == [Accepted()]
    shown = postgres._database.turn._ready_cursor().execute(f"SHOW {name}".encode()).fetchone()
    assert shown is not None
    assert shown[0] in ("10s", "5s", "read committed", "on")


@pytest.mark.parametrize(("name", "value"), [*SETTINGS[:1], *SETTINGS[2:]])
def test_the_fence_finds_a_session_that_a_pooler_has_swapped(postgres: PostgresStore, name: str, value: str) -> None:
    """It is prepared and the same sent again; a commit that need not be durable is made so at once."""
    assert postgres.apply(W1, [created("r")]) == [Accepted()]
    changed = value if name != "statement_timeout" else "'20s'"
    for connection in (postgres._database.turn, postgres._database.claims):
        connection._ready_cursor().execute(f"SET {name} = {changed}".encode())
    assert postgres.apply(W1, [created("s")]) == [Accepted()]
    assert [run.run_id for run in claim(postgres, W1, 5)] == ["r", "s"]


def test_a_batch_waits_for_a_foreign_lock_for_a_moment_and_says_whose_row_it_is(
    postgres: PostgresStore, admin: psycopg.Connection
) -> None:
    """Somebody's open transaction has the row of one run: the others go on without it."""
    postgres.apply(W1, [created("r", held_as=C1), created("s", held_as=C2)])
    with admin.transaction():
        admin.execute("SELECT 1 FROM perdure.runs WHERE id = 'r' FOR UPDATE")
        for entry in (finished("r", C1), parked("r", C1), released("r", C1)):
            with pytest.raises(NothingDone, match=r"\(r\)") as caught:
                postgres.apply(W1, [entry, finished("s", C2)])
            assert caught.value.locked == {"r"}
            assert not caught.value.may_be_entry
        assert postgres.apply(W1, [finished("s", C2)]) == [Accepted("succeeded")]
    assert postgres.apply(W1, [recorded("r", C1), finished("r", C1)]) == [Accepted(), Accepted("succeeded")]


def test_a_locked_table_is_the_stores_trouble(postgres: PostgresStore, admin: psycopg.Connection) -> None:
    """Nobody's row in particular."""
    postgres.apply(W1, [created("r", held_as=C1)])
    with admin.transaction():
        admin.execute("LOCK TABLE perdure.runs IN EXCLUSIVE MODE")
        with pytest.raises(NothingDone) as caught:
            postgres.apply(W1, [finished("r", C1)])
    assert not caught.value.locked
    assert not caught.value.may_be_entry


def test_reconciling_passes_by_a_run_that_somebody_has_locked(
    postgres: PostgresStore, admin: psycopg.Connection
) -> None:
    """A later round finds it."""
    postgres.apply(W1, [created("r", held_as=C1), created("s", held_as=C2)])
    with admin.transaction():
        admin.execute("SELECT 1 FROM perdure.runs WHERE id = 'r' FOR UPDATE")
        assert postgres.reconcile(W1, []) == ["s"]
    assert postgres.reconcile(W1, []) == ["r"]


def test_a_takeover_waits_for_nobody_who_has_locked_a_run(postgres: PostgresStore, admin: psycopg.Connection) -> None:
    """The taker has its journal's turn meanwhile: it asks again soon, and all of it is put back then."""
    postgres.apply(W1, [created("r", held_as=C1), created("s", held_as=C2)])
    with admin.transaction():
        admin.execute("SELECT 1 FROM perdure.runs WHERE id = 'r' FOR UPDATE")
        with pytest.raises(NothingDone):
            postgres.workers.take_over(W1, seen=None)
    assert postgres.workers.take_over(W1, seen=None) == ["r", "s"]


SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON perdure.checkpoints FOR EACH ROW WHEN (NEW.key = 'slow') EXECUTE FUNCTION slow();
"""


@pytest.mark.parametrize(
    "what", ["PERFORM pg_sleep(60);", "RAISE EXCEPTION 'not here';", "PERFORM 1/0;"], ids=["slow", "raises", "refused"]
)
def test_an_entry_that_its_statement_cannot_take_is_told_from_the_stores_trouble(
    postgres: PostgresStore, admin: psycopg.Connection, what: str
) -> None:
    """A statement that takes too long, or that somebody's trigger ends: perhaps this entry alone."""
    admin.execute(SLOW.format(what).encode())
    postgres.apply(W1, [created("r", held_as=C1)])
    with pytest.raises(StoreError) as caught:
        postgres.apply(W1, [recorded("r", C1, "slow")])
    assert isinstance(caught.value, StoreRefusedError) or getattr(caught.value, "may_be_entry", False)
    assert postgres.apply(W1, [recorded("r", C1)]) == [Accepted()]


@pytest.mark.parametrize(
    "change", ["REVOKE INSERT ON perdure.checkpoints FROM ours", "ALTER TABLE perdure.checkpoints RENAME TO gone"]
)
def test_a_permission_or_a_table_that_is_missing_is_the_stores_trouble(
    own_postgres_url: str, admin: psycopg.Connection, change: str
) -> None:
    """Not the run's: it goes on once that is mended."""
    admin.execute("CREATE ROLE ours LOGIN")
    try:
        admin.execute("GRANT USAGE ON SCHEMA perdure TO ours")
        admin.execute("GRANT ALL ON ALL TABLES IN SCHEMA perdure TO ours")
        admin.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA perdure TO ours")
        store = PostgresStore(f"{own_postgres_url.replace('user=postgres', 'user=ours')}")
        join(store, W1)
        store.apply(W1, [created("r", held_as=C1)])
        admin.execute(change.encode())
        with pytest.raises(UnsupportedStoreError):
            store.apply(W1, [recorded("r", C1)])
        assert store.apply(W1, []) == []
        assert store.apply(W1, [parked("r", C1)]) == [Accepted("parked")]
        store.close()
    finally:
        admin.execute("DROP OWNED BY ours")
        admin.execute("DROP ROLE ours")


def test_every_connection_leaves_a_server_that_has_become_read_only(
    postgres: PostgresStore, admin: psycopg.Connection
) -> None:
    """With several hosts in the URL they find the new primary; a demoted one may keep its sockets."""

    def backends() -> set[int]:
        connections = (postgres._database.turn, postgres._database.claims, postgres._database.heartbeat)
        return {connection._ready_cursor().connection.info.backend_pid for connection in connections}

    before = backends()
    postgres._database.turn._ready_cursor().execute("SET default_transaction_read_only = on")
    with pytest.raises(NothingDone, match="read-only"):
        postgres.apply(W1, [created("r")])
    assert backends().isdisjoint(before)
    assert postgres.apply(W1, [created("r")]) == [Accepted()]


def test_what_the_driver_forgets_at_a_rollback_is_prepared_again(postgres: PostgresStore) -> None:
    """After a rollback psycopg drops all that is prepared in the session, with its next statement."""
    assert postgres.create([created("a")]) == [Accepted()]
    turn = postgres._database.turn
    with pytest.raises(StoreRefusedError), turn.transaction():
        raise UnicodeError
    assert postgres.create([created("b")]) == [Accepted()]
    turn.query("ended_runs", {"run_ids": "{}"})
    assert postgres.create([created("c")]) == [Accepted()]
    with pytest.raises(StoreRefusedError), turn.transaction():
        raise UnicodeError
    turn.query("ended_runs", {"run_ids": "{}"})
    sent = postgres.begin(W1, [created("d")])
    assert sent is not None
    with pytest.raises(NothingDone):
        sent.verdicts()
    assert postgres.apply(W1, [created("d")]) == [Accepted()]  # as the journal does
