"""SQLite's batch: one statement that writes all of it, or nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure._entries import Accepted, Entry
from perdure.stores.kinds import Kinds
from perdure.stores.sqlite import SqliteStore
from perdure.stores.sqlite.batches import apply_whole
from tests.stores.entries import C1, C2, C3, W1, W2, child, created, finished, join, parked, recorded, released


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """With a run that is held, one that has a cancel, and one that is over."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    join(store, W1)
    store.apply(W1, [created("held", held_as=C1), created("cancelled", held_as=C2), created("over", held_as=C3)])
    store.apply(W1, [recorded("held", C1, "0"), finished("over", C3)])
    store.cancels.ask(["cancelled"])
    yield store
    store.close()


def content(store: SqliteStore) -> list[str]:
    """Everything that the database holds, as the statements that would make it."""
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        return list(connection.iterdump())


GOOD = [created("new", held_as="a claim"), child("child", "held", C1), recorded("held", C1, "1")]
NOT_NEW: dict[str, Entry] = {
    "an id that is taken": created("over"),
    "a child of a run that is over": child("late", "over", C3),
    "a child of a claim that never was": child("late", "held", "another claim"),
    "a checkpoint that is there": recorded("held", C1, "0"),
    "a checkpoint twice in the batch": recorded("held", C1, "1"),
    "a checkpoint of a run that is over": recorded("over", C3, "1"),
    "a checkpoint under another claim": recorded("held", "another claim", "2"),
    "an end that is there": finished("over", C3),
    "an end under another claim": finished("held", "another claim"),
    "an end of a run with a cancel": finished("cancelled", C2),
    "a park of a run that is over": parked("over", C3),
    "a park under another claim": parked("held", "another claim"),
    "a release of a run that is over": released("over", C3),
    "a release under another claim": released("held", "another claim"),
}


@pytest.mark.parametrize("entry", NOT_NEW.values(), ids=NOT_NEW.keys())
def test_one_that_is_not_new_keeps_the_whole_batch_out(store: SqliteStore, entry: Entry) -> None:
    """Whatever kind it is, wherever it stands: the others wait for the verdict on it."""
    before = content(store)
    for batch in ([*GOOD, entry], [entry, *GOOD]):
        assert apply_whole(store._database.turn, Kinds(), W1, batch) is None
        assert content(store) == before


def test_a_worker_without_a_row_writes_nothing(store: SqliteStore) -> None:
    """The fence is part of the statement."""
    before = content(store)
    assert apply_whole(store._database.turn, Kinds(), W2, [created("new")]) is None
    assert apply_whole(store._database.turn, Kinds(), W2, [recorded("held", C1, "1")]) is None
    assert content(store) == before


@pytest.mark.parametrize(
    "ending", [finished("held", C1), parked("held", C1), released("held", C1)], ids=["ended", "parked", "released"]
)
def test_what_is_new_is_one_statement(store: SqliteStore, ending: Entry) -> None:
    """Of every kind, a child and its parent's end in one batch."""
    names: list[str] = []
    store.on_statement = names.append
    verdicts = store.apply(W1, [*GOOD, finished("new", "a claim"), ending])
    assert names == ["write_sections"]
    assert all(isinstance(verdict, Accepted) for verdict in verdicts)
    assert store.apply(W1, [*GOOD, finished("new", "a claim"), ending]) == verdicts


def test_nothing_can_be_read_from_the_batch(store: SqliteStore) -> None:
    """It is a way in, not a table."""
    with store._database.turn.alone() as connection:
        assert connection._sqlite is not None
        assert connection._sqlite.execute("SELECT * FROM section").fetchall() == []
