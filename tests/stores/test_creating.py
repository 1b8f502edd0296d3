"""Runs that are made by an outsider, who executes none and has no row among the workers. On every store."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from perdure._entries import Accepted, Existed
from perdure.errors import UnsupportedStoreError
from perdure.stores.open import open_store
from perdure.stores.protocol import Store
from tests.stores.entries import W1, OpenAnother, claim, created, join, state


def test_an_outsider_makes_runs_without_a_worker(store: Store) -> None:
    """They are ready, for whoever claims them."""
    assert store.create([created("a"), created("b", due_at=4e9)]) == [Accepted(), Accepted()]
    assert store.workers.all() == []
    assert (state(store, "a"), state(store, "b")) == ("ready", "ready")
    join(store, W1)
    assert [run.run_id for run in claim(store, W1)] == ["a"]


def test_the_same_again_is_success_and_another_one_is_told_of(store: Store) -> None:
    """Also beside one that is new: each gets its own verdict."""
    store.create([created("a")])
    assert store.create([created("a"), created("b")]) == [Accepted(), Accepted()]
    [verdict, new] = store.create([created("a", entry_id="another"), created("c")])
    assert isinstance(verdict, Existed)
    assert (new, state(store, "c")) == (Accepted(), "ready")


def test_nothing_to_make_is_no_error(store: Store) -> None:
    """Whoever asks whether the database takes anything gets an answer."""
    assert store.create([]) == []


def test_a_database_without_tables_is_refused_and_left_alone(open_another: OpenAnother, store_url: str) -> None:
    """Whoever only looks makes nothing: a name that is written wrong must not become a file."""
    if not store_url.startswith("postgres"):
        with pytest.raises(UnsupportedStoreError, match="there is no database"):
            open_another().check()
        assert not Path(store_url).exists()


def test_a_schema_of_this_release_is_accepted(store: Store, open_another: OpenAnother) -> None:
    """By whoever comes later."""
    open_another().check()


def test_a_schema_of_another_release_is_refused(tmp_path: Path) -> None:
    """The error says which, and what to do."""
    store = open_store(str(tmp_path / "perdure.db"))
    store.migrate()
    with sqlite3.connect(tmp_path / "perdure.db") as connection:
        connection.execute("DELETE FROM migrations")
    connection.close()
    with pytest.raises(UnsupportedStoreError, match="schema version 0, this Perdure knows"):
        store.check()
    store.close()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """By looking, not by changing it."""
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE theirs (id integer)")
    connection.close()
    store = open_store(str(tmp_path / "other.db"))
    with pytest.raises(UnsupportedStoreError, match="of something else"):
        store.check()
    store.close()
