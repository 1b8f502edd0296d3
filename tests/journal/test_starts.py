"""A started run begins while its creation is committed: what becomes of it is its own, not its starter's."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

import perdure
from perdure import step, workflow
from perdure._engine.journal.lanes import Lane
from perdure._engine.runtime import Runtime
from perdure._entries import Entry, StepRecorded, Verdict
from perdure.errors import StoreRefusedError
from perdure.typing import DEFAULT_QUEUE

ran: list[str] = []


@step
def leaves_a_mark(name: str) -> str:
    """Its body is seen."""
    ran.append(name)
    return name


@workflow
def marks(name: str) -> str:
    """One step."""
    return leaves_a_mark(name)


@pytest.fixture
def runtime(app: perdure.Perdure) -> Runtime:
    """Launched, and knows that nothing waits in the database before what is started now."""
    launched = app._launched()
    slots = launched.room.slots[DEFAULT_QUEUE]
    while not slots.is_free:
        pass
    return launched


def test_a_run_that_fails_at_once_was_started_all_the_same(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first record is refused before its starter comes to look: the handle is there, for the run was made."""
    real_apply, real_wait = runtime.store.apply, runtime.journal.wait
    has_failed = threading.Event()

    def apply(worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        if any(isinstance(entry, StepRecorded) for entry in entries):
            raise StoreRefusedError("no")
        return real_apply(worker_id, entries)

    def wait(lane: Lane, number: int) -> None:
        if threading.current_thread() is threading.main_thread():
            assert has_failed.wait(30)
        real_wait(lane, number)

    real_lose = runtime.journal._on_lost

    def lose(run: Any, error: BaseException) -> None:
        real_lose(run, error)
        has_failed.set()

    monkeypatch.setattr(runtime.store, "apply", apply)
    monkeypatch.setattr(runtime.journal, "wait", wait)
    monkeypatch.setattr(runtime.journal, "_on_lost", lose)
    handle = perdure.start(marks, "refused")
    assert runtime.store.runs.row(handle.run_id) is not None


def test_a_body_waits_for_the_creation_of_its_run(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run has begun and nothing is durable: a crash now must leave no trace of a run that never was."""
    real = runtime.store.apply
    may_commit, is_asked = threading.Event(), threading.Event()

    def apply(worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        is_asked.set()
        assert may_commit.wait(30)
        return real(worker_id, entries)

    monkeypatch.setattr(runtime.store, "apply", apply)
    ran.clear()
    started: list[perdure.Handle[str]] = []
    starter = threading.Thread(target=lambda: started.append(perdure.start(marks, "late")))
    starter.start()
    assert is_asked.wait(30)
    while not runtime.held.active:
        pass
    assert not ran
    may_commit.set()
    starter.join(30)
    assert started[0].result(30) == "late"
    assert ran == ["late"]
