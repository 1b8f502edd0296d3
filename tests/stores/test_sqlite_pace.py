"""When an event loop commits to SQLite itself: only where it will not stand still for long."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure._entries import Accepted, Stored
from perdure.stores.sqlite import SqliteStore
from perdure.stores.sqlite.pace import FEW_BYTES, FEW_ENTRIES, SHORT_SECONDS, Pace
from tests.stores.entries import W1, created, worker


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """One that has committed a few times, and knows that this is quick; by a clock that no other load can move."""
    made = SqliteStore(tmp_path / "perdure.db")
    made.migrate()
    made.workers.join(worker(W1), 3600.0)
    made._pace = Pace(lambda: 0.0)
    made._pace._seconds = 0.0
    yield made
    made.close()


def test_a_pace_that_is_not_known_is_not_short() -> None:
    """The first commit opens the file."""
    assert not Pace().fits(1)


def test_of_many_entries_a_loop_commits_none() -> None:
    """Another thread does so beside it, while it makes the next."""
    pace = Pace()
    pace._seconds = 0.0
    assert pace.fits(FEW_ENTRIES)
    assert not pace.fits(FEW_ENTRIES + 1)


def test_a_commit_that_took_long_makes_the_next_one_somebody_elses() -> None:
    """And commits that are quick again bring the loop back."""
    now = [0.0]
    pace = Pace(lambda: now[0])

    def commit(seconds: float) -> None:
        with pace.measured(1):
            now[0] += seconds

    commit(SHORT_SECONDS / 10)
    assert pace.fits(1)
    commit(SHORT_SECONDS * 20)
    assert not pace.fits(1)
    for _ in range(20):
        commit(SHORT_SECONDS / 10)
    assert pace.fits(1)


def test_what_is_committed_at_once_has_its_verdicts(store: SqliteStore) -> None:
    """As `apply` gives them."""
    sent = store.begin(W1, [created("r")])
    assert sent is not None
    assert sent.is_answered()
    assert sent.verdicts() == [Accepted()]
    assert store.runs.row("r") is not None


def test_a_loop_leaves_a_commit_to_others_where_the_log_is_to_be_copied_after_it(store: SqliteStore) -> None:
    """That takes long, whatever the commit does; `apply` sees to it, and the loop may go on."""
    assert store.at_once(3) == 3
    store._checkpointer.is_due = True
    assert store.at_once(3) == 0
    store.apply(W1, [created("r")])
    assert store.at_once(3) == 3


def test_a_loop_leaves_a_large_entry_to_others(store: SqliteStore) -> None:
    """Writing it takes long, and the loop would stand still; nothing has happened, and `apply` does it."""
    large = created("r", input=Stored("json", f'["{"x" * FEW_BYTES}"]'))
    assert store.begin(W1, [large]) is None
    assert store.runs.row("r") is None
    assert store.apply(W1, [large]) == [Accepted()]


def test_a_loop_does_not_wait_for_another_process_that_writes(store: SqliteStore) -> None:
    """Nothing has happened then, and `apply`, which waits, still does it."""
    stranger = sqlite3.connect(store.path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    assert store.begin(W1, [created("r")]) is None
    assert store.runs.row("r") is None
    stranger.execute("COMMIT")
    stranger.close()
    assert store.apply(W1, [created("r")]) == [Accepted()]


def test_that_a_loop_does_not_wait_makes_no_other_thread_impatient(store: SqliteStore) -> None:
    """A duty of the worker that met another process meanwhile was told that this had held the file for 30 seconds."""
    stranger = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    stranger.execute("BEGIN IMMEDIATE")
    loop = threading.Thread(target=lambda: store.begin(W1, [created("r")]))

    def come_between(statement: str) -> None:
        store.on_statement = None
        loop.start()  # it waits for the connection, which this thread has
        loop.join(0.05)
        threading.Timer(0.05, stranger.execute, ["COMMIT"]).start()

    store.on_statement = come_between
    try:
        assert store.apply(W1, [created("s")]) == [Accepted()]
    finally:
        loop.join()
        stranger.close()
