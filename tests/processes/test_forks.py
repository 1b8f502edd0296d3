"""After a fork the child has an identity and connections of its own, or refuses loudly; the parent is unharmed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from perdure import UnsupportedStoreError
from perdure.stores import forks
from perdure.stores.sqlite import SqliteStore
from tests.processes.children import in_child
from tests.processes.conftest import Rows, Start


@pytest.mark.parametrize(
    ("store_url", "way"),
    [("sqlite", way) for way in ("idle", "busy", "committing", "pooled", "preload")]
    + [("postgres", way) for way in ("busy", "committing", "preload")],
    indirect=["store_url"],
)
def test_parent_and_child_both_work_after_a_fork(start_program: Start, rows: Rows, way: str) -> None:
    """The program checks itself, in both processes; afterwards every run has ended well and nobody is left."""
    program = start_program("forks", way)
    program.read_until("done")
    assert program.wait() == 0
    assert "Traceback" not in program.complaints(), program.complaints()
    assert set(rows.states().values()) == {"succeeded"}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_is_refused_a_file_for_good_where_the_parent_could_not_close_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a new store and under another name too, in its own children too. Other files it may use."""
    monkeypatch.setattr(forks, "PATIENCE_SECONDS", 0.05)
    path = tmp_path / "perdure.db"
    store = SqliteStore(path)
    store.migrate()
    (tmp_path / "alias.db").symlink_to(path)
    inside, leave = threading.Event(), threading.Event()

    def use() -> None:
        with store._database.turn.writing():
            inside.set()
            leave.wait(20)

    def check() -> None:
        for place in (path, tmp_path / "alias.db"):
            with pytest.raises(UnsupportedStoreError, match="spawn"):
                SqliteStore(place).workers.all()

    def check_and_go_on() -> None:
        check()
        assert in_child(check) == 0
        fresh = SqliteStore(tmp_path / "fresh.db")
        fresh.migrate()
        assert fresh.workers.all() == []
        fresh.close()

    user = threading.Thread(target=use)
    user.start()
    inside.wait(20)
    status = in_child(check_and_go_on)
    leave.set()
    user.join()
    store.close()
    assert status == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_two_threads_fork_one_after_the_other(tmp_path: Path) -> None:
    """Each closes all connections before and opens them after: in between the other must not."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    statuses: list[int] = []

    def fork_often() -> None:
        for _ in range(10):
            statuses.append(in_child(lambda: check_workers(store)))
            store.workers.all()

    forkers = [threading.Thread(target=fork_often) for _ in range(3)]
    for forker in forkers:
        forker.start()
    for forker in forkers:
        forker.join()
    store.close()
    assert statuses == [0] * 30


def check_workers(store: SqliteStore) -> None:
    """The child can read and write."""
    assert store.workers.all() == []
    store.workers.leave("nobody")
    store.close()
