"""SQLite's rows come packed: few are fetched, whatever their number and size, none is lost or out of order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure._entries import Stored
from perdure.errors import StoreRefusedError
from perdure.stores.sqlite import SqliteStore
from tests.stores.entries import C1, W1, claim, created, finished, fresh_claims, join, recorded

MANY = 2_500
LARGE = Stored("json", '"' + "x" * 10_000 + '"')


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    join(store, W1)
    yield store
    store.close()


@pytest.fixture
def fetched(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each question fetched."""
    numbers: list[int] = []
    for connection in store._database._all():
        query = connection.query

        def count(name: str, parameters: object = (), query: object = query) -> object:
            rows = query(name, parameters)  # type: ignore[operator]
            numbers.append(len(rows))
            return rows

        monkeypatch.setattr(connection, "query", count)
    return numbers


def shorten_values(store: SqliteStore, limit: int) -> None:
    """From now on no value may be longer, where a billion bytes is the rule."""
    store._database.close()
    for connection in store._database._all():
        connection._open()
        assert connection._sqlite is not None
        connection._sqlite.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limit)


def test_a_long_history_is_few_rows_in_order(store: SqliteStore, fetched: list[int]) -> None:
    """A thousand in each, and one more for what it has streamed."""
    store.apply(W1, [created("r", held_as=C1)])
    keys = [str(number) for number in range(MANY)]
    store.apply(W1, [recorded("r", C1, key) for key in keys])
    fetched.clear()
    assert [checkpoint.key for checkpoint in store.runs.checkpoints("r")] == keys
    assert [checkpoint.key for checkpoint in store.runs.histories(["r"])[0].checkpoints] == keys
    assert max(fetched) <= MANY // 1_000 + 2


def test_many_ends_and_claims_are_few_rows(store: SqliteStore, fetched: list[int]) -> None:
    """Of a thousand runs, and of as many as are claimed at once."""
    runs = [f"run {number}" for number in range(1_000)]
    store.apply(W1, [created(run) for run in runs])
    fetched.clear()
    claimed = claim(store, W1, 1_000)
    assert [run.run_id for run in claimed] == runs
    store.apply(W1, [finished(run.run_id, run.claim) for run in claimed])
    assert {ended.run_id for ended in store.runs.ended(runs)} == set(runs)
    assert max(fetched) <= 2


def test_values_that_are_too_large_for_one_row_come_one_by_one(store: SqliteStore) -> None:
    """SQLite has a limit for the length of a value: a billion bytes, here fewer."""
    runs = list(zip((f"run {number}" for number in range(20)), fresh_claims(20), strict=True))
    store.apply(W1, [created(run, held_as=taken) for run, taken in runs])
    for run, taken in runs:
        store.apply(W1, [recorded(run, taken, "1", outcome=LARGE), recorded(run, taken, "2", outcome=LARGE)])
        store.apply(W1, [finished(run, taken, text=LARGE.text)])
    ids = [run for run, _ in runs]
    whole, ended = store.runs.histories(ids), store.runs.ended(ids)
    shorten_values(store, 30_000)

    assert store.runs.histories(ids) == whole
    assert sorted(store.runs.ended(ids), key=lambda end: end.run_id) == sorted(ended, key=lambda end: end.run_id)
    assert len(store.runs.checkpoints(ids[0])) == 2


def test_what_is_too_large_by_itself_is_said(store: SqliteStore) -> None:
    """Nothing can be done about it but to allow longer values."""
    store.apply(W1, [created("r", held_as=C1)])
    store.apply(W1, [recorded("r", C1, "1", outcome=LARGE)])
    shorten_values(store, 5_000)
    with pytest.raises(StoreRefusedError, match="too big"):
        store.runs.histories(["r"])
