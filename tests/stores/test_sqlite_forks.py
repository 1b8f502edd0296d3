"""No connection crosses a fork: parent and child both go on, whatever was under way."""

from __future__ import annotations

import os
import sqlite3
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.errors import UnsupportedStoreError
from perdure.stores import forks
from perdure.stores.sqlite import SqliteStore
from tests.stores.entries import C1, W1, W2, created, join, recorded, state

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """A store in use: its connections are open."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    join(store, W1)
    store.apply(W1, [created("r", held_as=C1)])
    return store


def fork(child: Callable[[], None]) -> int:
    """Run `child` in a forked process; its exit code, 0 when it raised nothing."""
    pid = os.fork()
    if pid == 0:
        try:
            child()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_parent_and_child_both_write_after_a_fork(store: SqliteStore) -> None:
    """Each under its own worker id and through its own connections."""

    def child() -> None:
        store.abandon()
        join(store, W2)
        store.apply(W2, [created("of the child")])
        store.close()

    assert fork(child) == 0
    store.apply(W1, [recorded("r", C1)])
    assert state(store, "of the child") == "ready"
    store.close()


def test_a_childs_commit_survives_the_parents_close(store: SqliteStore) -> None:
    """The child's locks are real: the parent, who closes last as it thinks, must not take the WAL away."""
    ready, go_on = os.pipe(), os.pipe()

    def child() -> None:
        join(store, W2)
        os.write(ready[1], b"x")
        os.read(go_on[0], 1)
        store.apply(W2, [created("late")])

    def let_the_parent_close() -> None:
        os.read(ready[0], 1)
        store.close()
        os.write(go_on[1], b"x")

    closing = threading.Thread(target=let_the_parent_close)
    closing.start()
    assert fork(child) == 0
    closing.join()
    assert state(store, "late") == "ready"
    store.close()


def test_a_fork_waits_for_the_commit_under_way(store: SqliteStore) -> None:
    """Forked from a thread while the journal commits: the child can write nevertheless."""
    stop = threading.Event()

    def commit_without_end() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            store.apply(W1, [recorded("r", C1, str(number))])

    journal = threading.Thread(target=commit_without_end)
    journal.start()

    def child() -> None:
        join(store, W2)
        store.apply(W2, [created(f"of {os.getpid()}")])

    codes = [fork(child) for _ in range(5)]
    stop.set()
    journal.join()
    assert codes == [0] * 5
    store.close()


def test_a_child_that_cannot_be_served_says_so(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a connection was in use all the time, the child refuses the file loudly; the parent is untouched."""
    monkeypatch.setattr(forks, "PATIENCE_SECONDS", 0.05)
    inside, leave = threading.Event(), threading.Event()

    def hold_a_transaction() -> None:
        with store._database.turn.writing():
            inside.set()
            leave.wait()

    holder = threading.Thread(target=hold_a_transaction)
    holder.start()
    inside.wait()

    def child() -> None:
        store.abandon()
        with pytest.raises(UnsupportedStoreError, match="forked while"):
            store.workers.all()

    code = fork(child)
    leave.set()
    holder.join()
    assert code == 0
    store.apply(W1, [recorded("r", C1)])
    store.close()


def test_sqlite_itself_does_not_survive_a_fork(tmp_path: Path) -> None:
    """Why all this: with an inherited connection the child can never write. If this fails, SQLite has changed."""
    path = tmp_path / "plain.db"
    inherited = sqlite3.connect(path, isolation_level=None)
    inherited.execute("PRAGMA journal_mode = WAL")
    inherited.execute("CREATE TABLE t (x)")
    inherited.execute("BEGIN IMMEDIATE")
    committed = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(committed[0], 1)
        try:
            sqlite3.connect(path, isolation_level=None, timeout=0).execute("INSERT INTO t VALUES (1)")
        except sqlite3.OperationalError:
            os._exit(7)
        os._exit(0)
    inherited.execute("COMMIT")
    os.write(committed[1], b"x")
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    inherited.close()
    assert code == 7
