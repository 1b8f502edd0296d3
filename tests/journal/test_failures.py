"""What the journal does when the database refuses, does not answer, or says that this worker may not write."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import NoReturn

import pytest

from perdure._engine.journal.lanes import Lane
from perdure._entries import Accepted, Entry, Refused, RunCreated, StepRecorded
from perdure.errors import RunInterrupted, StoreRefusedError, StoreUnavailableError
from perdure.stores.protocol import Fenced
from tests.journal.scripted import ScriptedStore, Told, created, journal_on, recorded, run


def lost_reply() -> NoReturn:
    raise StoreUnavailableError("the connection broke")


def fence() -> NoReturn:
    raise Fenced("no row")


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


def test_nothing_of_a_lane_follows_a_refused_entry() -> None:
    """The claim has ended: what came before stands, what comes after is void, also what is handed in later."""
    store, told = ScriptedStore(), Told()
    journal = journal_on(store, told)
    lane, other = Lane.of(run("r")), Lane.of(run("other"))
    first, second, third = recorded("r"), recorded("r"), recorded("r")
    store.is_void = lambda entry: entry is second or entry is third
    for entry in (first, second, third):
        journal.append(lane, entry, leads=True)
    last = journal.append(other, recorded("other"), leads=True)

    journal.wait(other, last)
    with pytest.raises(RunInterrupted):
        journal.wait(lane, 3)
    with pytest.raises(RunInterrupted):
        journal.append(lane, recorded("r"))

    assert [entry for entry in store.committed if entry.run_id == "r"] == [first]
    assert list(told.lost) == ["r"]


@pytest.mark.parametrize("error", [StoreRefusedError("no"), ZeroDivisionError()], ids=["refused", "not foreseen"])
def test_only_the_run_fails_whose_entry_the_database_refuses(error: Exception) -> None:
    """Of a thousand entries one is bad: its run fails from there on, all others commit, in a few transactions."""
    store, told = ScriptedStore(), Told()
    journal = journal_on(store, told)
    lanes = [Lane.of(run(f"r{number}")) for number in range(50)]
    entries: dict[str, list[StepRecorded]] = {f"r{number}": [] for number in range(50)}
    for _ in range(20):
        for lane in lanes:
            assert lane.run is not None
            entry = recorded(lane.run.run_id)
            entries[lane.run.run_id].append(entry)
            journal.append(lane, entry, leads=True)
    bad = entries["r33"][7]
    store.refuse = lambda entry: error if entry is bad else None

    for lane in lanes:
        if lane is not lanes[33]:
            journal.wait(lane, 20)
    with pytest.raises(StoreRefusedError):
        journal.wait(lanes[33], 20)

    assert list(told.lost) == ["r33"]
    assert [entry for entry in store.committed if entry.run_id == "r33"] == entries["r33"][:7]
    for name in entries.keys() - {"r33"}:
        assert [entry for entry in store.committed if entry.run_id == name] == entries[name]
    assert set(store.effects.values()) == {1}
    assert len(store.sent) <= 25


@pytest.mark.parametrize("has_happened", [False, True])
def test_a_batch_of_unknown_outcome_goes_again_and_takes_effect_once(has_happened: bool) -> None:
    """The same entries, in the same order, before anything else."""
    store, told = ScriptedStore(), Told()
    journal = journal_on(store, told)
    lane = Lane.of(run("r"))
    (store.after if has_happened else store.before).extend([lost_reply, lost_reply])
    verdicts: list[object] = []
    for _ in range(5):
        last = journal.append(lane, recorded("r"), verdicts.append, leads=True)

    journal.wait(lane, last)

    assert store.sent[0] == store.sent[1] == store.sent[2]
    assert len(store.sent) == 3
    assert len(store.committed) == len(verdicts) == 5
    assert told.unknown == 2
    assert not told.lost


def test_what_is_handed_in_meanwhile_comes_after_the_batch_that_goes_again() -> None:
    """An unknown outcome keeps the order of the lane."""
    store = ScriptedStore()
    journal = journal_on(store)
    lane = Lane.of(run("r"))
    later = recorded("r")

    def hand_in_and_break() -> None:
        journal.append(lane, later, leads=True)
        lost_reply()

    store.after.append(hand_in_and_break)
    journal.append(lane, recorded("r"), leads=True)
    journal.wait(lane, 2)

    assert [len(batch) for batch in store.sent] == [1, 1, 1]
    assert store.sent[-1] == [later]


def test_after_the_fence_runs_are_dropped_and_outsiders_are_sent_again() -> None:
    """A web request that submits loses nothing when this worker loses its right to write."""
    store, told = ScriptedStore(), Told()
    journal = journal_on(store, told)
    held, outside = Lane.of(run("r")), Lane()
    verdicts: list[object] = []
    store.before.append(fence)
    journal.append(held, recorded("r"), verdicts.append, leads=True)
    journal.append(held, created("child", claim="claim of r"), verdicts.append, leads=True)
    number = journal.append(outside, created("submitted", held_as="a claim"), verdicts.append, leads=True)

    journal.wait(outside, number)
    with pytest.raises(RunInterrupted):
        journal.wait(held, 1)

    assert told.fenced == 1
    assert list(told.lost) == ["r"]
    [submitted] = store.committed
    assert submitted.run_id == "submitted"
    assert isinstance(submitted, RunCreated)
    assert submitted.held_as is None
    assert [type(verdict) for verdict in verdicts] == [Refused, Refused, Accepted]


@pytest.mark.parametrize("is_in_the_batch", [True, False])
def test_after_the_fence_a_run_called_directly_is_still_created(is_in_the_batch: bool) -> None:
    """Its creation waited in its own lane; it is made all the same, for whoever claims it, or its caller would wait
    for ever.
    """
    store = ScriptedStore()
    journal = journal_on(store)
    direct = run("direct")
    lane = Lane.of(direct)
    journal.append(lane, created("direct", held_as=direct.claim), leads=True)
    journal.append(lane, recorded("direct"), leads=True)
    if is_in_the_batch:
        store.before.append(fence)
        with pytest.raises(RunInterrupted):
            journal.wait(lane, 2)
    else:
        journal.fail_lane(lane, RunInterrupted("taken over"))

    other = Lane()
    journal.wait(other, journal.append(other, created("other"), leads=True))

    [made] = [entry for entry in store.committed if entry.run_id == "direct"]
    assert isinstance(made, RunCreated)
    assert made.held_as is None


@pytest.mark.parametrize("has_happened", [False, True])
def test_a_batch_whose_committing_thread_is_interrupted_goes_again(has_happened: bool) -> None:
    """Ctrl-C reaches the main thread while it commits for all: nobody's entry is lost, and nobody is told twice."""
    store = ScriptedStore()
    journal = journal_on(store)
    mine, other = Lane.of(run("mine")), Lane.of(run("other"))
    (store.after if has_happened else store.before).append(interrupt)
    verdicts: list[object] = []
    number = journal.append(mine, recorded("mine"), verdicts.append, leads=True)
    journal.append(other, recorded("other"), verdicts.append, leads=True)

    with pytest.raises(KeyboardInterrupt):
        journal.wait(mine, number)
    journal.append(other, recorded("other"), verdicts.append, leads=True)
    journal.wait(other, 2)

    assert [entry.run_id for entry in store.committed] == ["mine", "other", "other"]
    assert verdicts == [Accepted()] * 3
    assert mine.is_settled
    assert other.is_settled


def test_ctrl_c_while_others_are_woken_loses_no_wake_up() -> None:
    """Struck between two of them, the committing thread wakes all again when the batch goes again."""
    journal = journal_on(ScriptedStore())
    woken: list[str] = []

    def wake(name: str) -> None:
        woken.append(name)
        if woken == ["a"]:
            interrupt()

    lanes = {name: Lane.of(run(name)) for name in ("a", "b")}
    for name, lane in lanes.items():
        number = journal.append(lane, recorded(name), leads=True)
        assert journal.watch(lane, number, partial(wake, name))
    with pytest.raises(KeyboardInterrupt):
        journal.lead()
    assert journal.lead()

    assert woken == ["a", "a", "b"]
    assert not lanes["a"].waiters


def test_an_owner_that_fails_when_told_keeps_nobody_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the rest of the batch is settled."""

    def fail(verdict: object) -> NoReturn:
        raise ZeroDivisionError

    journal = journal_on(ScriptedStore())
    lane = Lane()
    verdicts: list[object] = []
    journal.append(lane, created("a"), fail, leads=True)
    with caplog.at_level(logging.CRITICAL, "perdure"):
        journal.wait(lane, journal.append(lane, created("b"), verdicts.append, leads=True))

    assert verdicts == [Accepted()]


def test_the_end_does_not_wait_for_a_database_that_is_not_there() -> None:
    """After the deadline, who waits is told."""
    store = ScriptedStore()
    store.before.extend([lost_reply] * 1000)
    journal = journal_on(store)
    journal.start()
    lane = Lane()
    told = threading.Event()
    journal.append(lane, created("r"), lambda verdict: told.set())
    journal.stop(0.0)

    assert told.wait(10)
    assert isinstance(lane.failure, StoreUnavailableError)


def test_an_entry_handed_in_by_an_owner_that_is_told_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The committing thread must not wait for itself, however full the queue is."""
    monkeypatch.setattr("perdure._engine.journal.journal.QUEUED_BYTES", 0)
    store = ScriptedStore()
    journal = journal_on(store)
    lane, other = Lane.of(run("r")), Lane()
    entries: list[Entry] = [created("next")]
    journal.append(
        lane, recorded("r"), lambda verdict: [journal.append(other, e) for e in entries] and None, leads=True
    )
    journal.wait(other, 1)

    assert [entry.run_id for entry in store.committed] == ["r", "next"]
