"""A SQLite file that may not be written, or has no room: nothing of a batch happens, and it goes on when mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure._entries import Accepted, Stored
from perdure.stores.protocol import NothingDone
from perdure.stores.sqlite import SqliteStore
from tests.stores.entries import C1, W1, created, join, recorded


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """With a worker and a run that it holds."""
    made = SqliteStore(tmp_path / "perdure.db")
    made.migrate()
    join(made, W1)
    made.apply(W1, [created("r", held_as=C1)])
    yield made
    made.close()


def pragma(store: SqliteStore, text: str) -> int:
    """Set something on the journal's connection."""
    turn = store._database.turn
    with turn.alone():
        cursor = turn._cursor or turn._open()
        row = cursor.execute(f"PRAGMA {text}").fetchone()
        return 0 if row is None else int(row[0])


def test_on_a_full_disk_what_is_small_still_fits(store: SqliteStore) -> None:
    """A large outcome waits, for it is the store's trouble; others go on."""
    pragma(store, f"max_page_count = {pragma(store, 'page_count') + 4}")
    large = recorded("r", C1, "large", outcome=Stored("json", '"' + "x" * 100_000 + '"'))
    with pytest.raises(NothingDone, match="full: make room") as caught:
        store.apply(W1, [large])
    assert not caught.value.may_be_entry
    assert store.apply(W1, []) == []
    assert store.apply(W1, [recorded("r", C1, "small")]) == [Accepted()]
    pragma(store, "max_page_count = 1000000")
    assert store.apply(W1, [large]) == [Accepted()]


def test_a_connection_that_may_not_write_is_opened_again(store: SqliteStore) -> None:
    """One that was opened while the file could not be written never could."""
    pragma(store, "query_only = ON")
    with pytest.raises(NothingDone, match="cannot be opened for writing"):
        store.apply(W1, [recorded("r", C1)])
    assert store.apply(W1, [recorded("r", C1)]) == [Accepted()]
