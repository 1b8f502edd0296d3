"""A run whose entry the database refuses waits for a mend; its neighbours notice nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import perdure
from perdure import step, workflow
from perdure._entries import Entry, RunParked, StepRecorded, Verdict
from perdure.errors import StoreError, StoreRefusedError
from perdure.stores.sqlite import SqliteStore


@step
def give(word: str) -> str:
    """What the database may refuse."""
    return word


@workflow
def steps_after(word: str) -> str:
    """The bad step is followed by others."""
    return give(word) + give("1") + give("2")


@workflow
def step_at_the_end(word: str) -> str:
    """The bad step's checkpoint shares its commit with the end."""
    give("0")
    return give(word)


@workflow
async def on_a_loop(word: str) -> str:
    """The same on an event loop."""
    return await agive(word)


@step
async def agive(word: str) -> str:
    """As `give`."""
    return word


REFUSALS = [
    StoreRefusedError("poison is not accepted"),
    ValueError("poison was not foreseen"),
]


@pytest.mark.parametrize("bad", [steps_after, step_at_the_end, on_a_loop])
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_only_the_run_with_the_bad_entry_is_parked(
    url: str, monkeypatch: pytest.MonkeyPatch, bad: Callable[[str], Any], refusal: Exception
) -> None:
    """With a reason that people can read; after the mend and a restart it goes on to its end. Whatever kept the entry
    out: let go of, uncharged, the run would begin again at once and run its bodies without end.
    """
    apply = SqliteStore._commit
    is_parked = threading.Event()

    def refuse_poison(store: SqliteStore, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        if any(isinstance(entry, StepRecorded) and "poison" in entry.outcome.text for entry in entries):
            raise refusal
        verdicts = apply(store, worker_id, entries)
        if any(isinstance(entry, RunParked) for entry in entries):
            is_parked.set()
        return verdicts

    monkeypatch.setattr(SqliteStore, "_commit", refuse_poison)
    with perdure.running(url, shutdown_seconds=0.0) as app:
        handle = perdure.start(bad, "poison")
        neighbours = [perdure.start(steps_after, str(number)) for number in range(20)]
        assert [neighbour.result(60) for neighbour in neighbours] == [f"{number}12" for number in range(20)]
        assert is_parked.wait(60)
        row = app._launched().store.runs.row(handle.run_id)

    assert row is not None
    assert (row.state, row.needs_mend) == ("parked", True)
    assert (str(refusal) if isinstance(refusal, StoreError) else "ValueError") in (row.reason or "")

    monkeypatch.setattr(SqliteStore, "_commit", apply)
    with perdure.running(url, shutdown_seconds=0.0, poll_seconds=0.05):
        assert "poison" in perdure.handle(handle.run_id).result(60)
