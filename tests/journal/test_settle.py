"""Settled means: every outcome already handed to any branch of the run is committed.

A witness notes what each commit holds and, at the start of every body, which outcomes the workflow's code has had
that no commit held.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest

import perdure
from perdure import Queue, Retry, step, workflow
from perdure._engine.hosting.asyncio.host import LoopHost
from perdure._engine.hosting.threads.host import ThreadHost
from perdure._entries import Entry, RunFinished, StepRecorded, Verdict
from perdure.stores.sqlite import SqliteStore


class Witness:
    """What was committed, what was handed over, and who began too early."""

    def __init__(self) -> None:
        self.committed: set[str] = set()
        self.ended: set[str] = set()
        self.handed: list[str] = []
        self.bodies = 0
        self.too_early: list[str] = []
        self.did_not_wait = 0
        """Pure bodies that began before what was handed over was committed."""
        self._numbers = count()

    def begin_body(self, seen: int | None = None) -> str:
        """A body starts: its token, the value by which its outcome will be known.

        `seen`: how many outcomes had been handed over when it was called, where threads hand over at any moment.
        """
        self.bodies += 1
        self.too_early += [token for token in self.handed[:seen] if token not in self.committed]
        return f"token {next(self._numbers)}."

    def begin_pure_body(self) -> str:
        """A body without effects starts: it need not wait for anything."""
        self.did_not_wait += any(token not in self.committed for token in self.handed)
        return f"token {next(self._numbers)}."

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Note every commit from now on."""
        apply = SqliteStore._commit

        def apply_and_note(store: SqliteStore, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
            verdicts = apply(store, worker_id, entries)
            for entry in entries:
                if isinstance(entry, StepRecorded):
                    self.committed.add(entry.outcome.text.strip('"'))
                elif isinstance(entry, RunFinished):
                    self.ended.add(entry.run_id)
            return verdicts

        monkeypatch.setattr(SqliteStore, "_commit", apply_and_note)


witness = Witness()
queue = Queue("settle")


@pytest.fixture(autouse=True)
def fresh_witness(monkeypatch: pytest.MonkeyPatch) -> Witness:
    """One for each test."""
    global witness
    witness = Witness()
    witness.watch(monkeypatch)
    return witness


@step
def take(seen: int | None = None) -> str:
    """Give a token of its own."""
    return witness.begin_body(seen)


@step
async def atake() -> str:
    """The same, async, with a wait that lets others go on."""
    token = witness.begin_body()
    await asyncio.sleep(0)
    return token


@step(pure=True)
def compute() -> str:
    """Give one without effects."""
    return witness.begin_pure_body()


@step(pure=True)
async def acompute() -> str:
    """The same, async."""
    return witness.begin_pure_body()


tries: Counter[str] = Counter()


@step(retries=Retry(attempts=3, initial_seconds=0.001))
def take_at_last(seen: int) -> str:
    """The same, at the third attempt; each attempt looks."""
    token = witness.begin_body(seen)
    key = perdure.idempotency_key()
    tries[key] += 1
    if tries[key] < 3:
        raise ConnectionError
    return token


@workflow
def one_after_the_other() -> None:
    """A sync branch."""
    for _ in range(20):
        witness.handed.append(compute())
        witness.handed.append(take())
        witness.handed.append(take_at_last(len(witness.handed)))


@workflow
async def gathered() -> None:
    """Branches on a loop, whose outcomes travel through shared memory; some of the steps are sync."""

    async def branch(number: int) -> None:
        for _ in range(10):
            witness.handed.append(await acompute())
            witness.handed.append(await atake())
            witness.handed.append(compute())
            if number % 3 == 0:
                witness.handed.append(take())

    await asyncio.gather(*(branch(number) for number in range(8)))


@workflow
def in_threads() -> None:
    """Branches in threads."""

    def branch() -> None:
        for _ in range(10):
            witness.handed.append(compute())
            witness.handed.append(take(len(witness.handed)))
            witness.handed.append(take_at_last(len(witness.handed)))

    with perdure.threads(6) as pool:
        for future in [pool.submit(branch) for _ in range(6)]:
            future.result()


PROGRAMS: dict[str, Callable[[], Any]] = {
    "sync": one_after_the_other,
    "threads": in_threads,
    "async": lambda: asyncio.run(gathered()),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_no_body_begins_before_what_was_handed_over_is_committed(
    app: perdure.Perdure, program: Callable[[], Any]
) -> None:
    """Retries included, and whichever branch it was handed to."""
    program()

    assert witness.bodies > 40
    assert witness.too_early == []
    assert witness.did_not_wait > 10, "pure ones do"


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_body_that_begins_too_early_would_be_found(
    app: perdure.Perdure, program: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the settling the witness complains."""
    monkeypatch.setattr(ThreadHost, "settle", lambda *_: time.time())
    monkeypatch.setattr(LoopHost, "settle", lambda *_: time.time())
    program()

    assert witness.too_early


@workflow
def fail_or_not(fails: bool) -> str:
    """A run with a value or an error."""
    token = take()
    if fails:
        raise LookupError(token)
    return token


@workflow
def parent_that_looks(fails: bool) -> bool:
    """Whether the child's end was committed when its parent learnt of it."""
    child = queue.submit(fail_or_not, fails)
    child.exception()
    return child.run_id in witness.ended


@pytest.mark.parametrize("fails", [False, True])
def test_an_end_is_seen_only_after_its_commit(app: perdure.Perdure, fails: bool) -> None:
    """By a waiter, a callback, a coroutine, the caller of the function and a parent in the same process."""
    for _ in range(10):
        handle = queue.submit(fail_or_not, fails)
        seen: list[bool] = []
        told = threading.Event()

        def note(future: Any, seen: list[bool] = seen, told: threading.Event = told) -> None:
            seen.append(future.run_id in witness.ended)
            told.set()

        handle.add_done_callback(note)
        handle.exception(60)
        seen.append(handle.run_id in witness.ended)
        assert told.wait(60)
        assert seen == [True, True]
        assert parent_that_looks(fails)

        async def wait() -> bool:
            handle = await queue.asubmit(fail_or_not, fails)
            await asyncio.gather(handle, return_exceptions=True)
            return handle.run_id in witness.ended

        assert asyncio.run(wait())


def test_a_direct_call_returns_after_the_commit_of_its_end(app: perdure.Perdure) -> None:
    """The value has left the run."""
    for number in range(10):
        one_value(number)
        assert len(witness.ended) == number + 1


@workflow
def one_value(number: int) -> int:
    """No step at all."""
    return number
