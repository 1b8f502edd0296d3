"""The SQLite schema: its migrations, what people read, and what the tables themselves forbid."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import pytest

from perdure.errors import UnsupportedStoreError
from perdure.stores.sqlite import SqliteStore
from perdure.stores.sqlite.schema import migrations
from tests.stores.entries import C1, C2, W1, created, finished, join, parked, recorded

Objects = dict[tuple[str, str], str]


def objects(connection: sqlite3.Connection) -> Objects:
    """All tables, indexes and views, with their definitions."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(kind, name): flat(text) for kind, name, text in rows}


def flat(text: str) -> str:
    """The definition without the white space that means nothing: an added column leaves some."""
    return re.sub(r" ?([(),]) ?", r"\1", " ".join(text.split()))


def test_the_schema_that_people_read_is_what_the_migrations_make(tmp_path: Path) -> None:
    """`schema.sql` equals all migrations together."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    store.close()
    migrated, read = sqlite3.connect(store.path), sqlite3.connect(":memory:")
    read.executescript((files("perdure.stores.sqlite") / "schema.sql").read_text(encoding="utf-8"))
    assert objects(migrated) == objects(read)
    migrated.close()
    read.close()


def test_a_column_that_a_migration_adds_is_the_same_to_read() -> None:
    """SQLite puts it behind the last one, with the white space that is there."""
    migrated, read = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    migrated.execute("CREATE TABLE one (\n    a TEXT,\n    CHECK (a <> '')\n) STRICT")
    migrated.execute("CREATE TABLE two (\n    a TEXT\n) STRICT")
    for table in ("one", "two"):
        migrated.execute(f"ALTER TABLE {table} ADD COLUMN b INTEGER DEFAULT 0")
    read.execute("CREATE TABLE one (\n    a TEXT,\n    b INTEGER DEFAULT 0,\n    CHECK (a <> '')\n) STRICT")
    read.execute("CREATE TABLE two (\n    a TEXT,\n    b INTEGER DEFAULT 0\n) STRICT")
    assert objects(migrated) == objects(read)
    migrated.close()
    read.close()


def test_migrations_are_numbered_without_a_gap() -> None:
    """From 1 on."""
    assert [migration.version for migration in migrations()] == list(range(1, len(migrations()) + 1))


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    """And costs no write."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    names: list[str] = []
    store.on_statement = names.append
    store.migrate()
    assert "begin" not in names
    store.close()


def test_many_migrate_at_once(tmp_path: Path) -> None:
    """Workers that start together find one schema."""
    stores = [SqliteStore(tmp_path / "perdure.db") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda store: store.migrate(), stores))
    join(stores[0], W1)
    assert len(stores[5].workers.all()) == 1
    for store in stores:
        store.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """Old code must not write what it does not understand."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    plain = sqlite3.connect(store.path)
    plain.execute("INSERT INTO migrations VALUES (99, 'from the future', 0)")
    plain.commit()
    plain.close()
    with pytest.raises(UnsupportedStoreError, match="schema version 99"):
        store.migrate()
    store.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of a person with a held, a finished, a ready and a parked run before them."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    join(store, W1)
    store.apply(W1, [created("held", held_as=C1), created("done", held_as=C2), created("ready", due_at=4e9)])
    store.apply(W1, [recorded("done", C2), finished("done", C2), created("parked", held_as="c3")])
    store.apply(W1, [parked("parked", "c3", children_seen=0)])
    store.close()
    connection = sqlite3.connect(store.path)
    connection.execute("PRAGMA foreign_keys = ON")
    yield connection
    connection.close()


ILLEGAL = {
    "held without a worker": "UPDATE runs SET worker = NULL WHERE id = 'held'",
    "held without a claim": "UPDATE runs SET claim = NULL WHERE id = 'held'",
    "a claim that is not held": "UPDATE runs SET claim = 'x' WHERE id = 'ready'",
    "ended without a time": "UPDATE runs SET finished_at = NULL WHERE id = 'done'",
    "a time without an end": "UPDATE runs SET finished_at = 1.0 WHERE id = 'ready'",
    "an unknown state": "UPDATE runs SET state = 'lost' WHERE id = 'ready'",
    "a wait that is not parked": "UPDATE runs SET waits_for = '[]' WHERE id = 'ready'",
    "a wait for no list": "UPDATE runs SET waits_for = '{}' WHERE id = 'parked'",
    "a worker without a row": "UPDATE runs SET worker = 'nobody' WHERE id = 'held'",
    "a worker that goes and leaves runs": "DELETE FROM workers",
    "a parent without a place": "UPDATE runs SET parent_id = 'x' WHERE id = 'ready'",
    "a second cancel": "INSERT INTO messages (id, run_id, kind, sent_at) VALUES "
    "('a', 'ready', 'cancel', 0.0), ('b', 'ready', 'cancel', 0.0)",
    "a value of no run": "INSERT INTO outputs VALUES ('nothing', 'json', '1')",
    "an attempt below zero": "UPDATE runs SET attempts = -1 WHERE id = 'ready'",
    "a text where a number is": "UPDATE runs SET priority = 'high' WHERE id = 'ready'",
}


@pytest.mark.parametrize("statement", ILLEGAL.values(), ids=ILLEGAL.keys())
def test_the_tables_forbid_illegal_states(plain: sqlite3.Connection, statement: str) -> None:
    """Whoever writes them: ours, or a person."""
    with pytest.raises(sqlite3.IntegrityError), plain:
        plain.execute(statement)


def test_the_views_can_be_read(plain: sqlite3.Connection) -> None:
    """Times as people write them, values beside them."""
    rows = plain.execute("SELECT id, state, output, due_at FROM run_view ORDER BY id").fetchall()
    assert rows[0] == ("done", "succeeded", "42", None)
    assert rows[3] == ("ready", "ready", None, "2096-10-02 07:06:40.000")
    steps = plain.execute("SELECT run_id, key, outcome, recorded_at LIKE '20%-%-% %:%:%' FROM step_view").fetchall()
    assert steps == [("done", "1", '"outcome of 1"', 1)]


def test_a_deleted_run_takes_all_of_its_rows_along(plain: sqlite3.Connection) -> None:
    """So that pruning is one statement."""
    with plain:
        plain.execute("DELETE FROM runs WHERE id = 'done'")
    for table in ("inputs", "outputs", "checkpoints", "messages"):
        assert plain.execute(f"SELECT count(*) FROM {table} WHERE run_id = 'done'").fetchall() == [(0,)]  # noqa: S608
