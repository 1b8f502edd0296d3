"""One thing that the database does not take keeps nothing else: it goes in parts, waits by itself, and is said once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NoReturn

import pytest

from perdure._engine.journal import sender
from perdure._engine.journal.journal import Journal
from perdure._engine.journal.lanes import Lane
from perdure._entries import Accepted, Entry, StepRecorded
from perdure.errors import StoreError, StoreRefusedError, StoreUnavailableError, UnsupportedStoreError
from perdure.stores.protocol import NothingDone
from tests.journal.scripted import ScriptedStore, Told, created, journal_on, recorded, run

PATIENCE_SECONDS = 60
STORES_TROUBLE = [
    NothingDone("canceling statement due to lock timeout"),
    UnsupportedStoreError("permission denied for table checkpoints"),
    NothingDone("the disk is full"),
]
OWN_TROUBLE = [
    NothingDone("canceling statement due to statement timeout", may_be_entry=True),
    StoreUnavailableError("the server closed the connection"),
]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set aside goes again soon."""
    monkeypatch.setattr(sender, "LONGEST_ASIDE_SECONDS", 0.02)


class Crowd:
    """Many lanes, each with some entries in the journal."""

    def __init__(self, journal: Journal, lanes: int = 200, each: int = 3) -> None:
        self.journal = journal
        self.lanes = {f"r{number}": Lane.of(run(f"r{number}")) for number in range(lanes)}
        self.entries: dict[str, list[StepRecorded]] = {name: [] for name in self.lanes}
        for _ in range(each):
            for name, lane in self.lanes.items():
                entry = recorded(name)
                self.entries[name].append(entry)
                journal.append(lane, entry, leads=True)

    def wait_for_all_but(self, *names: str) -> None:
        """Commit those of everybody else."""
        for name, lane in self.lanes.items():
            if name not in names:
                self.journal.wait(lane, len(self.entries[name]))


def commit_until(journal: Journal, is_done: Callable[[], bool]) -> None:
    """As the writer thread does: whenever something is due."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_done():
        assert time.monotonic() < deadline
        if not journal.lead():
            time.sleep(journal.ring.seconds_until_due() or 0.0)


@pytest.mark.parametrize("error", STORES_TROUBLE, ids=str)
def test_what_the_store_keeps_from_one_run_waits_and_all_others_commit(error: StoreError) -> None:
    """It loses nothing, its order is kept, nobody is parked, and it goes on once that is mended."""
    store, told = ScriptedStore(), Told()
    journal = journal_on(store, told)
    crowd = Crowd(journal)
    is_mended: list[bool] = []
    store.refuse = lambda entry: error if entry.run_id == "r33" and not is_mended else None
    crowd.wait_for_all_but("r33")
    lane = crowd.lanes["r33"]
    assert lane.committed == 0
    assert len(store.sent) < 100
    later = recorded("r33")
    journal.append(lane, later, leads=True)
    is_mended.append(True)
    commit_until(journal, lambda: lane.is_settled)
    assert [entry for entry in store.committed if entry.run_id == "r33"] == [*crowd.entries["r33"], later]
    assert not told.lost
    assert not journal.has_work
    assert not journal.is_unsure


def test_whose_rows_are_locked_is_told_by_the_database_and_nobody_else_waits_for_it() -> None:
    """Two transactions, not one for each way to halve a thousand."""
    store = ScriptedStore()
    journal = journal_on(store)
    crowd = Crowd(journal)
    locked = {"r3", "r77", "r150"}
    is_locked = [True]
    error = NothingDone("locked", locked=locked)
    store.refuse = lambda entry: error if entry.run_id in locked and is_locked else None
    crowd.wait_for_all_but(*locked)
    assert len([batch for batch in store.sent if batch]) <= 4
    is_locked.clear()
    commit_until(journal, lambda: all(lane.is_settled for lane in crowd.lanes.values()))


@pytest.mark.parametrize("error", OWN_TROUBLE, ids=str)
def test_an_entry_that_fails_again_and_again_by_itself_is_refused(
    error: StoreError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is parked; what it recorded before stands."""
    monkeypatch.setattr(sender, "FIRST_PAUSE_SECONDS", 0.0)
    store, told = ScriptedStore(), Told()
    journal = journal_on(store, told)
    crowd = Crowd(journal)
    bad = crowd.entries["r33"][1]
    store.refuse = lambda entry: error if entry is bad else None
    crowd.wait_for_all_but("r33")
    commit_until(journal, lambda: crowd.lanes["r33"].failure is not None)
    assert isinstance(told.lost["r33"], StoreRefusedError)
    assert list(told.lost) == ["r33"]
    assert [entry for entry in store.committed if entry.run_id == "r33"] == crowd.entries["r33"][:1]
    assert set(store.effects.values()) == {1}


def test_a_database_that_takes_nothing_is_not_asked_for_each_entry() -> None:
    """While it does not even take an empty batch, the same goes again as a whole."""
    store = ScriptedStore()
    journal = journal_on(store)

    def fail() -> NoReturn:
        raise NothingDone("cannot execute in a read-only transaction")

    store.before.extend([fail] * 6)
    crowd = Crowd(journal, lanes=50)
    crowd.wait_for_all_but()
    assert [len(batch) for batch in store.sent] == [150, 0, 150, 0, 150, 0, 150]


def test_where_nothing_goes_through_the_rest_is_not_tried_one_by_one() -> None:
    """A table that nobody may write: some probes, and all wait."""
    store = ScriptedStore()
    journal = journal_on(store)
    crowd = Crowd(journal, lanes=300, each=1)
    is_revoked = [True]
    error = UnsupportedStoreError("permission denied for table checkpoints")
    store.refuse = lambda entry: error if is_revoked else None
    assert journal.lead()
    assert len(store.sent) < 30
    assert not store.committed
    is_revoked.clear()
    commit_until(journal, lambda: all(lane.is_settled for lane in crowd.lanes.values()))


def test_trouble_is_said_once_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    """Not with every attempt; whose it is, and why."""
    store = ScriptedStore()
    journal = journal_on(store)
    lane, other = Lane.of(run("r")), Lane.of(run("other"))
    tries: list[Entry] = []
    error = UnsupportedStoreError("permission denied")

    def refuse(entry: Entry) -> Exception | None:
        if entry.run_id != "r" or len(tries) >= 5:
            return None
        tries.append(entry)
        return error

    store.refuse = refuse
    journal.append(lane, recorded("r"), leads=True)
    with caplog.at_level(logging.WARNING, "perdure"):
        journal.wait(other, journal.append(other, recorded("other"), leads=True))
        commit_until(journal, lambda: lane.is_settled)
    said, over = [record.getMessage() for record in caplog.records]
    assert "(r)" in said
    assert "permission denied" in said
    assert "over, after" in over


def test_what_waits_for_the_store_is_known_to_reconciling() -> None:
    """It may have been made by an earlier sending: handed back, it would begin twice (rule 16)."""
    store = ScriptedStore()
    journal = journal_on(store)
    lane = Lane()
    is_locked = [True]
    store.refuse = lambda entry: NothingDone("locked") if is_locked else None
    verdicts: list[object] = []
    journal.append(lane, created("child", held_as="a claim"), verdicts.append, leads=True)
    assert journal.lead()
    assert journal.run_ids() == ["child"]
    assert journal.is_unsure
    is_locked.clear()
    commit_until(journal, lambda: lane.is_settled)
    assert verdicts == [Accepted()]
    assert not journal.run_ids()


def test_the_writer_thread_sees_to_what_was_set_aside() -> None:
    """Nobody calls it when that is due."""
    store = ScriptedStore()
    journal = journal_on(store)
    lane = Lane.of(run("r"))
    failures = [NothingDone("locked")] * 3
    store.refuse = lambda entry: failures.pop() if failures else None
    journal.start()
    try:
        journal.wait(lane, journal.append(lane, recorded("r"), leads=True))
    finally:
        journal.stop(0.0)
    assert len(store.committed) == 1


def test_a_creation_whose_run_was_let_go_of_ends_what_executes_it_here() -> None:
    """A resent creation begins nothing unless the run is held under that very claim (rule 16)."""
    store, told = ScriptedStore(), Told()
    journal = journal_on(store, told)
    mine = run("mine")
    lane = Lane.of(mine)
    verdicts: list[object] = []
    journal.append(lane, created("mine", held_as=mine.claim), verdicts.append, leads=True)
    store.answer = Accepted("ready")
    assert journal.lead()
    assert verdicts == [Accepted("ready")]
    assert list(told.lost) == ["mine"]
