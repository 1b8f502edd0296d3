"""What is old is removed with all that it has made, by who has the right to write, and never what is needed."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

import perdure
from perdure import Perdure, Queue, step, workflow
from perdure._engine.duties import retention
from perdure._engine.duties.archive import Archive, ArchiveError
from perdure._engine.ids import fresh_id
from perdure.stores import keeping
from perdure.stores.keeping import Expiry, Removed, removing
from perdure.stores.protocol import Fenced, Store, WorkerRow

HOUR = 3600.0
nobody = Queue("nobody-serves-retention")


@step
def add(value: int) -> int:
    """A step, or a child."""
    return value + 1


@workflow
def family(value: int) -> int:
    """It has a child."""
    perdure.set_attributes({"value": str(value)})
    perdure.set_event("value", value)
    return perdure.start(add, value).result()


@workflow
def waits_for(run_id: str) -> Any:
    """It waits for somebody else's run, and then for a message."""
    found = perdure.with_options(id=run_id).start(add, 1).result()
    return [found, perdure.recv("go")]


@workflow
def parent() -> Any:
    """It has a child that has ended, and waits."""
    perdure.with_options(id="child").start(add, 1).result()
    return perdure.recv("go")


def undo_add(value: int) -> None:
    """Nothing."""


@step(undo=undo_add)
def added(value: int) -> int:
    """It can be undone."""
    return value


@workflow
def undone() -> None:
    """It fails after a step that can be undone."""
    added(1)
    raise ValueError("no")


@pytest.fixture
def app(store_url: str) -> Iterator[Perdure]:
    """A worker that serves no queue of this file and removes nothing by itself."""
    with perdure.running(store_url, poll_seconds=0.05, park_after_seconds=0) as launched:
        yield launched


def store_of(app: Perdure) -> Store:
    """Its store."""
    assert app._runtime is not None
    return app._runtime.store


def change(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Do it in the database itself."""
    if "postgresql" in url:
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.replace(" runs", " perdure.runs"))  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []
    with closing(sqlite3.connect(url, timeout=30)) as file, file:
        return file.execute(statement).fetchall()


def grow_old(url: str) -> None:
    """All runs were made, and have ended, an hour earlier."""
    ago = "- interval '1 hour'" if "postgresql" in url else f"- {HOUR}"
    change(url, f"UPDATE runs SET finished_at = finished_at {ago}, created_at = created_at {ago}")  # noqa: S608


def ids(url: str) -> set[str]:
    """The runs that there are."""
    return {run_id for (run_id,) in change(url, "SELECT id FROM runs")}


def remove(app: Perdure, function: Any, *, archive: Callable[[Any], None] | None = None, **expiry: Any) -> int:
    """All that has expired; how many runs."""
    assert app._runtime is not None
    total, after = 0, 0
    while True:
        wanted = Expiry(function.__perdure__.name, after, **expiry)
        done: Removed = store_of(app).keeper.remove(app._runtime.worker.worker_id, wanted, archive)
        total += done.runs
        if done.after is None:
            return total
        after = done.after


def rows_left(url: str, run_ids: set[str]) -> dict[str, int]:
    """What these runs still have, by table; who did what to them aside."""
    left = {}
    for table in (*keeping.OF_RUNS, *keeping.PASSING):
        listed = ", ".join(f"'{run_id}'" for run_id in run_ids)
        name = f"perdure.{table.name}" if "postgresql" in url else table.name
        [(count,)] = change(url, f"SELECT count(*) FROM {name} WHERE {table.key} IN ({listed})")  # noqa: S608
        if count and not table.outlives:
            left[table.name] = count
    return left


def test_an_old_run_goes_with_all_that_it_has_made(app: Perdure, store_url: str) -> None:
    """Nothing of it is left in any table; what is younger stays."""
    old = perdure.start(family, 1)
    old.result(30)
    before = ids(store_url)
    assert len(before) == 2
    grow_old(store_url)
    young = perdure.start(family, 2)
    young.result(30)
    assert remove(app, family, keep_seconds=HOUR * 2) == 0
    assert remove(app, add, keep_seconds=HOUR / 2) == 0  # the child goes with its parent
    assert remove(app, family, keep_seconds=HOUR / 2) == 2
    assert rows_left(store_url, before) == {}
    assert young.run_id in ids(store_url)
    with pytest.raises(perdure.RunNotFoundError):
        perdure.handle(old.run_id)


def test_so_many_of_the_newest_are_kept(app: Perdure, store_url: str) -> None:
    """By when they were made; a run that ended within the last minute is kept however many there are."""
    handles = [perdure.start(add, value) for value in range(5)]
    for handle in handles:
        handle.result(30)
    order = [run_id for (run_id,) in change(store_url, "SELECT id FROM runs ORDER BY seq")]
    name = add.__perdure__.name  # type: ignore[attr-defined]
    below = store_of(app).keeper.newest_kept(name, 2)
    assert store_of(app).keeper.newest_kept(name, 6) is None
    assert remove(app, add, below=below) == 0
    grow_old(store_url)
    assert remove(app, add, below=below) == 3
    assert ids(store_url) == {*order[3:]}


def test_no_child_of_an_unfinished_run_is_removed(app: Perdure, store_url: str) -> None:
    """Nor the run of somebody else that it has found under its id, whether it waits for it now or has its outcome."""
    perdure.with_options(id="other").start(add, 1).result(30)
    waiting = [perdure.with_options(id="p").start(parent), perdure.with_options(id="w").start(waits_for, "other")]
    for handle in waiting:
        while handle.status() != "parked":
            threading.Event().wait(0.01)
    grow_old(store_url)
    assert remove(app, add, keep_seconds=60.0) == 0
    assert ids(store_url) == {"other", "child", "p", "w"}
    for handle in waiting:
        perdure.send(handle, "go", topic="go")
    assert waiting[1].result(30) == [2, "go"]
    waiting[0].result(30)
    assert remove(app, add, keep_seconds=60.0) == 1
    grow_old(store_url)
    assert remove(app, parent, keep_seconds=60.0) == 2
    assert ids(store_url) == {"w"}


def test_who_undoes_a_run_goes_with_it(app: Perdure, store_url: str) -> None:
    """And not before it."""
    handle = perdure.with_options(id="u").start(undone)
    handle.exception(30)
    perdure.handle("u:undo").result(30)
    grow_old(store_url)
    assert remove(app, undone, keep_seconds=60.0) == 3  # the step that undoes is a child of who undoes
    assert ids(store_url) == set()


def test_a_large_family_goes_in_portions(app: Perdure, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each transaction is bounded, whatever a run has made; the run itself goes last."""
    monkeypatch.setattr(removing, "MEMBERS", 2)
    perdure.with_options(id="large").start(many, 5).result(30)
    grow_old(store_url)
    seen = []
    assert app._runtime is not None
    done: Removed | None = None
    while done is None or done.after is not None:
        expiry = Expiry(many.__perdure__.name, 0, keep_seconds=60.0)  # type: ignore[attr-defined]
        done = store_of(app).keeper.remove(app._runtime.worker.worker_id, expiry, None)
        seen.append((done.runs, "large" in ids(store_url)))
    assert max(runs for runs, _ in seen) <= 2
    assert sum(runs for runs, _ in seen) == 6
    assert seen[0] == (2, True)
    assert ids(store_url) == set()


@workflow
def many(count: int) -> int:
    """So many children."""
    return sum(handle.result() for handle in [perdure.start(add, value) for value in range(count)])


def test_a_look_costs_the_same_whatever_there_is(store: Store) -> None:
    """The fence and one question, in one transaction; no rule, no statement."""
    worker_id = fresh_id()
    store.workers.join(WorkerRow(worker_id, "host", 1), 30.0)
    asked: list[str] = []
    store.on_statement = asked.append  # type: ignore[attr-defined]  # of both kinds
    store.keeper.remove(worker_id, Expiry("app:work", keep_seconds=60.0), None)
    assert [name for name in asked if name not in ("begin", "commit")] == ["fence", "expired_of"]


def test_what_is_removed_from_a_file_leaves_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other commit may come for long: the write-ahead log would grow with all that is removed."""
    monkeypatch.setattr("perdure.stores.sqlite.checkpointing.WAL_LIMIT_BYTES", 0)
    url = str(tmp_path / "perdure.db")
    with perdure.running(url, poll_seconds=5) as app:
        perdure.start(add, 1).result(30)
        grow_old(url)
        asked: list[str] = []
        store_of(app).on_statement = asked.append  # type: ignore[attr-defined]  # a SQLite store
        assert remove(app, add, keep_seconds=60.0) == 1
    assert "checkpoint_wal" in asked[asked.index("remove_runs") :]


def test_the_fence_holds(app: Perdure, store_url: str) -> None:
    """Who has no right to write removes nothing."""
    perdure.start(add, 1).result(30)
    grow_old(store_url)
    expiry = Expiry(add.__perdure__.name, keep_seconds=60.0)  # type: ignore[attr-defined]
    with pytest.raises(Fenced):
        store_of(app).keeper.remove(fresh_id(), expiry, None)
    assert len(ids(store_url)) == 1


def test_what_cannot_be_archived_stays(app: Perdure, store_url: str) -> None:
    """It is written before it is removed, in the same transaction."""
    perdure.with_options(id="r").start(family, 1).result(30)
    grow_old(store_url)
    written: list[Any] = []

    def refuse(rows: Any) -> None:
        written.append(rows)
        raise ArchiveError("the disk is full")

    with pytest.raises(ArchiveError):
        remove(app, family, keep_seconds=60.0, archive=refuse)
    assert {row["id"] for row in written[0]["runs"]} == ids(store_url)
    assert remove(app, family, keep_seconds=60.0) == 2


def test_a_run_whose_removal_was_cut_off_is_archived_twice_and_never_lost(
    app: Perdure, store_url: str, tmp_path: Path
) -> None:
    """Written, and then the process dies: the run is there, and the next worker does it again."""
    perdure.with_options(id="r").start(add, 1).result(30)
    grow_old(store_url)
    files = [Archive(str(tmp_path), worker_id) for worker_id in (fresh_id(), fresh_id())]

    def write_and_die(rows: Any) -> None:
        files[0].write(rows)
        raise SystemExit("killed")

    with pytest.raises(SystemExit):
        remove(app, add, keep_seconds=60.0, archive=write_and_die)
    assert ids(store_url) == {"r"}
    assert remove(app, add, keep_seconds=60.0, archive=files[1].write) == 1
    lines = "".join(path.read_text(encoding="utf-8") for path in sorted(tmp_path.glob("*.jsonl")))
    assert len(lines.splitlines()) == 2
    with perdure.Client(store_url) as client:
        assert client.import_runs(lines) == ["r"]
        assert client.handle("r").result(5) == 2


def test_two_workers_share_it(app: Perdure, store_url: str) -> None:
    """Each run is removed once, and none is in the way of the other."""
    for value in range(20):
        perdure.start(add, value)
    while change(store_url, "SELECT count(*) FROM runs WHERE finished_at IS NULL") != [(0,)]:
        threading.Event().wait(0.01)
    grow_old(store_url)
    total: list[int] = []
    with perdure.Perdure(store_url, poll_seconds=5).running() as other:
        threads = [
            threading.Thread(target=lambda one=one: total.append(remove(one, add, keep_seconds=60.0)))
            for one in (app, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(total) == 20
    assert ids(store_url) == set()


def test_a_worker_does_it_by_itself_and_writes_it_down(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the settings say, archived, and imported again from there."""
    folder = tmp_path / "archive"
    with perdure.running(store_url, poll_seconds=0.05):
        perdure.with_options(id="r").start(family, 1).result(30)
    grow_old(store_url)
    monkeypatch.setattr("perdure._engine.parts.HOUSEKEEPING_SECONDS", 0.05)
    with perdure.running(store_url, poll_seconds=0.05, keep_for=60, archive=folder):
        while ids(store_url):
            threading.Event().wait(0.01)
    lines = "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())
    assert len(lines.splitlines()) == 2
    with perdure.Client(store_url) as client:
        assert client.import_runs(lines, run_id="r") == ["r"]
        assert client.handle("r").result(5) == 2
    assert json.loads(lines.splitlines()[0])["format"] == "perdure-runs"


def test_what_is_kept_is_checked_where_it_is_said() -> None:
    """Shorter than a minute would take outcomes from those who wait for them."""
    for wrong in ({"keep_for": 59}, {"keep_for": -1}, {"keep_runs": 0}, {"keep_runs": "many"}, {"keep_for": "1d"}):
        with pytest.raises(perdure.UsageError, match="keep_"):
            perdure.Perdure("x.db", **wrong)  # type: ignore[arg-type]
        with pytest.raises(perdure.UsageError, match="keep_"):
            workflow(name="kept", **wrong)(lambda: None)  # type: ignore[call-overload]
    assert retention.ROUND_SECONDS < 1
