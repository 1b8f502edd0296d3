"""How a process finds the dead, by the files that they held and the rows that they left; all within this process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

import perdure
from perdure import step, workflow
from perdure._core.definitions import find_definition
from perdure._core.serialization import Serializer, TypeRegistry
from perdure._engine import parts
from perdure._engine.duties.dead_workers import AGAIN_SECONDS
from perdure._engine.membership.file_locks import LEFTOVER_SECONDS, FileLock, free_locks, lock_path, remove_leftovers
from perdure.stores.open import open_store
from perdure.stores.protocol import Store, WorkerRow
from tests.processes.conftest import Rows
from tests.processes.waiting import PATIENCE_SECONDS, wait_until
from tests.stores.entries import A_MINUTE, created, state
from tests.stores.rivals import Rival


@step(name="recovery:echo")
def echo(name: str) -> str:
    """Something that can be executed."""
    return name


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """The database as another process has it."""
    store = open_store(store_url)
    store.migrate()
    yield store
    store.close()


def die(store: Store, *run_ids: str) -> tuple[str, str]:
    """What a worker leaves that died with these runs: its row, and its file without a lock. Its id, and its claim."""
    worker_id, claim = str(uuid4()), str(uuid4())
    path = lock_path(store.lock_directory, worker_id)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    store.workers.join(WorkerRow(worker_id, "here", 1), A_MINUTE)
    for run_id in run_ids:
        entry = created(run_id, kind="step", name="recovery:echo", held_as=claim)
        entry.input.text = perdure_arguments(run_id)
        store.apply(worker_id, [entry])
    return worker_id, claim


def perdure_arguments(name: str) -> str:
    """The stored arguments of `echo(name)`."""
    definition = find_definition(echo)
    assert definition is not None
    stored, _ = definition.store_arguments(Serializer(TypeRegistry()), (name,), {})
    return stored.text


def test_the_dead_are_found_at_launch_and_their_files_go(store: Store, store_url: str) -> None:
    """Their runs go on, and nothing is left of them."""
    worker_id, _ = die(store, "r")
    with perdure.running(store_url, poll_seconds=3600.0, lease_seconds=3600.0):
        assert perdure.handle("r").result(PATIENCE_SECONDS) == "r"
        assert not lock_path(store.lock_directory, worker_id).exists()
        assert worker_id not in [worker.worker_id for worker in store.workers.all()]


def test_a_file_without_a_row_goes(store: Store, store_url: str) -> None:
    """Its worker had left, or never came; the directory is this database's alone."""
    worker_id, _ = die(store)
    store.workers.leave(worker_id)
    with perdure.running(store_url, poll_seconds=3600.0):
        assert not lock_path(store.lock_directory, worker_id).exists()


def test_files_that_are_no_workers_stay(store: Store, store_url: str, tmp_path: Path) -> None:
    """Neither a strange name in the directory nor a link to elsewhere is a sign of death, and nothing is removed."""
    die(store)
    directory = Path(store.lock_directory)
    strange, link, precious = directory / "notes.lock", directory / f"{uuid4()}.lock", tmp_path / "precious"
    for path in (strange, precious):
        path.touch()
    link.symlink_to(precious)
    with perdure.running(store_url, poll_seconds=3600.0):
        assert strange.exists()
        assert link.is_symlink()
        assert precious.exists()
    strange.unlink()
    link.unlink()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_no_row_can_name_a_file(store: Store, store_url: str, rows: Rows, tmp_path: Path) -> None:
    """A hostile id in `workers` leads out of the directory, and is no path."""
    precious = tmp_path / "precious.lock"
    precious.touch()
    Path(store.lock_directory).mkdir(exist_ok=True)
    store.workers.join(WorkerRow("../precious", "here", 1), A_MINUTE)
    with perdure.running(store_url, poll_seconds=0.001, lease_seconds=3600.0):
        assert echo("x") == "x"
    assert precious.exists()
    with pytest.raises(ValueError, match="badly formed"):
        lock_path(store.lock_directory, "../precious")


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_a_dead_worker_whose_last_statement_is_under_way_is_looked_at_again_soon(store: Store, store_url: str) -> None:
    """Its session holds the row until the server has noticed; the next poll may be far away."""
    worker_id, _ = die(store, "r")
    rival = Rival(store_url)
    rival.apply(worker_id, created("from outside"))
    with perdure.running(store_url, poll_seconds=3600.0, lease_seconds=3600.0) as app:
        looks: list[str] = []
        app._launched().store.on_statement = looks.append  # type: ignore[attr-defined]  # the stores' own hook
        wait_until(lambda: looks.count("take_over_worker") >= 2)
        assert state(store, "r") == "held"
        began = time.monotonic()
        rival.commit()
        assert perdure.handle("r").result(PATIENCE_SECONDS) == "r"
        assert time.monotonic() - began < 5
        assert looks.count("take_over_worker") <= 2 + (time.monotonic() - began) / AGAIN_SECONDS + 2
    rival.connection.close()
    rival.watcher.close()


def test_the_heartbeat_goes_on_after_any_error(store_url: str) -> None:
    """Whatever happens in a beat: a worker without one would lose everything after a lease."""
    beats = threading.Semaphore(0)
    errors = iter([RuntimeError("once"), ZeroDivisionError("twice")])

    def fail_twice(name: str) -> None:
        if name == "renew_worker":
            beats.release()
            for error in errors:
                raise error

    with perdure.running(store_url, poll_seconds=3600.0, lease_seconds=0.09) as app:
        app._launched().store.on_statement = fail_twice  # type: ignore[attr-defined]  # the stores' own hook
        for _ in range(4):
            assert beats.acquire(timeout=PATIENCE_SECONDS)
        app._launched().store.on_statement = None  # type: ignore[attr-defined]


def test_a_worker_that_was_taken_over_joins_again_once_it_can(
    store: Store, store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no place for its lock file at first; it tries again and again."""
    with perdure.running(store_url, poll_seconds=3600.0, lease_seconds=0.09):
        [worker] = store.workers.all()
        directory = Path(store.lock_directory)
        directory.rename(directory.with_suffix(".aside"))
        directory.touch()
        try:
            wait_until(lambda: store.workers.take_over(worker.worker_id) is not None)
            wait_until(lambda: "could not join again" in caplog.text)
            assert store.workers.all() == []
        finally:
            directory.unlink()
        wait_until(lambda: len(store.workers.all()) == 1)
        assert echo("x") == "x"


def test_now_and_then_what_is_held_and_not_known_is_handed_back(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 5: not only after an error that somebody has seen."""
    monkeypatch.setattr(parts, "HOUSEKEEPING_SECONDS", 0.0)
    with perdure.running(store_url, poll_seconds=0.02) as app:
        runtime = app._launched()
        entry = created("lost", kind="step", name="recovery:echo", held_as=str(uuid4()))
        entry.input.text = perdure_arguments("lost")
        with runtime.journal.turn():
            runtime.store.apply(runtime.worker.worker_id, [entry])
        assert perdure.handle("lost").result(PATIENCE_SECONDS) == "lost"


def test_whoever_sees_a_lock_file_sees_it_locked(tmp_path: Path) -> None:
    """While workers come and go, no look finds one of them dead."""
    is_over = threading.Event()

    def come_and_go() -> None:
        for _ in range(300):
            FileLock(lock_path(str(tmp_path), str(uuid4()))).release()
        is_over.set()

    comers = threading.Thread(target=come_and_go)
    comers.start()
    found: list[str] = []
    while not is_over.is_set():
        found += [worker_id for worker_id, path in free_locks(str(tmp_path), "") if path.exists()]
        remove_leftovers(str(tmp_path))
    comers.join()
    assert found == []
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_those_who_died_while_they_came_are_removed(tmp_path: Path) -> None:
    """A file that got no name, once it is old; a fresh one may be somebody's who is coming."""
    old, fresh, held = (tmp_path / f"{uuid4()}.new" for _ in range(3))
    for path in (old, fresh):
        path.touch()
    past = time.time() - LEFTOVER_SECONDS - 1
    FileLock(held.with_suffix(".lock")).path.rename(held)
    for path in (old, held):
        os.utime(path, (past, past))
    remove_leftovers(str(tmp_path))
    assert (old.exists(), fresh.exists(), held.exists()) == (False, True, True)


def test_a_leftover_of_the_same_name_is_no_obstacle(tmp_path: Path) -> None:
    """It is taken as it is."""
    path = lock_path(str(tmp_path), str(uuid4()))
    path.with_suffix(".new").touch()
    lock = FileLock(path)
    assert path.exists()
    lock.release()
    assert list(tmp_path.iterdir()) == []


@workflow(name="recovery:nap")
def nap() -> None:
    """A child that is parked."""
    perdure.sleep(3600.0)


is_waiting = threading.Event()
may_go_on = threading.Event()


@step(name="recovery:wait")
def wait_for_word() -> None:
    """Until the test says so."""
    is_waiting.set()
    may_go_on.wait(PATIENCE_SECONDS)


@workflow(name="recovery:family")
def family() -> None:
    """One child sleeps, one is delayed, while this one is at work."""
    perdure.with_options(id="parked").start(nap)
    perdure.with_options(id="delayed", delay=3600.0).start(nap)
    wait_for_word()


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_parked_and_delayed_children_end_with_their_cancelled_parent(store: Store, store_url: str, where: str) -> None:
    """Within a poll, wherever the cancel comes from: not at the next time for housekeeping."""
    is_waiting.clear()
    may_go_on.clear()
    with perdure.running(store_url, poll_seconds=0.2, park_after_seconds=0.0):
        parent = perdure.with_options(id="parent").start(family)
        assert is_waiting.wait(PATIENCE_SECONDS)
        wait_until(lambda: state(store, "parked") == "parked")
        assert parent.cancel() if where == "here" else store.cancels.ask(["parent"])
        may_go_on.set()
        for run_id in ("parent", "parked", "delayed"):
            assert isinstance(perdure.handle(run_id).exception(5.0), perdure.RunCancelledError)
