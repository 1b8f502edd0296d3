"""A claim of SQLite is one statement that writes, and one that reads what it took."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.stores.protocol import ClaimRequest
from perdure.stores.sqlite import SqliteStore
from tests.stores.entries import W1, W2, WORK, claim, created, fresh_claims, join, recorded, released


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """With two workers."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    join(store, W1)
    join(store, W2)
    yield store
    store.close()


@pytest.fixture
def watcher(store: SqliteStore) -> Iterator[sqlite3.Connection]:
    """Sees whether others have written."""
    watcher = sqlite3.connect(store.path)
    yield watcher
    watcher.close()


def version(watcher: sqlite3.Connection) -> int:
    """Another number after every transaction of others that wrote."""
    [(number,)] = watcher.execute("PRAGMA data_version").fetchall()
    return int(number)


@pytest.mark.parametrize(("queues", "most"), [(["a"], 2), (["a", "b", "c"], 8)])
def test_a_claim_is_two_statements_for_each_queue(store: SqliteStore, queues: list[str], most: int) -> None:
    """And where there are several they are one transaction, begun and committed."""
    store.apply(W1, [created(f"{queue} {nth}", queue=queue) for queue in queues for nth in range(3)])
    asked: list[str] = []
    store.on_statement = asked.append
    taken = store.claim(W1, ClaimRequest(dict.fromkeys(queues, 2), [WORK]), fresh_claims(2 * len(queues))).runs
    assert sorted(run.run_id for run in taken) == [f"{queue} {nth}" for queue in queues for nth in range(2)]
    assert len({run.claim for run in taken}) == len(taken)
    assert len(asked) == most


def test_to_find_nothing_again_writes_nothing(store: SqliteStore, watcher: sqlite3.Connection) -> None:
    """A process that looks in vain costs no disk."""
    store.apply(W1, [created("r")])
    assert len(claim(store, W1)) == 1
    before = version(watcher)
    assert claim(store, W1) == []
    assert claim(store, W1) == []
    assert version(watcher) == before


def test_what_an_earlier_claim_took_is_not_taken_with_the_next(store: SqliteStore) -> None:
    """The worker's row says what the last one took, also when the next finds nothing, or another worker's."""
    store.apply(W1, [created("r")])
    [first] = claim(store, W1)
    assert first.is_fresh
    store.apply(W1, [recorded("r", first.claim), released("r", first.claim)])
    assert claim(store, W1, names=["other:work"]) == []
    [again] = claim(store, W2)
    assert not again.is_fresh
    assert claim(store, W1) == []
    store.apply(W2, [released("r", again.claim)])
    [third] = claim(store, W1)
    assert (third.run_id, third.is_fresh, third.attempts) == ("r", False, 1)
