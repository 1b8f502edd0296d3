"""Batches that an event loop sends and does not wait for: whoever is next finds them whole."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from perdure._engine.journal.lanes import Lane
from perdure._entries import Accepted, Refused
from perdure.errors import RunInterrupted, StoreUnavailableError
from perdure.stores.protocol import Fenced
from tests.journal.scripted import ScriptedStore, SentEntries, Told, created, journal_on, recorded, run


def raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.fixture
def store() -> ScriptedStore:
    """One whose answers can be waited for by an event loop."""
    made = ScriptedStore()
    made.can_begin = True
    return made


def test_nobody_is_told_before_the_answer_is_there(store: ScriptedStore) -> None:
    """Sent is not committed."""
    journal = journal_on(store)
    lane, verdicts = Lane.of(run("r")), list[object]()
    journal.append(lane, recorded("r"), verdicts.append, leads=True)
    sent = journal.send()
    assert isinstance(sent, SentEntries)
    sent.is_there = False
    assert not journal.receive(sent)
    assert not lane.is_settled
    assert not verdicts
    sent.is_there = True
    assert journal.receive(sent)
    assert lane.is_settled
    assert verdicts == [Accepted()]


def test_no_more_is_sent_at_once_than_the_store_takes(store: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest waits for the next batch, in its order."""
    monkeypatch.setattr(store, "at_once", lambda waiting: min(waiting, 2))
    journal, lane = journal_on(store), Lane.of(run("r"))
    for _ in range(5):
        journal.append(lane, recorded("r"), leads=True)
    while (sent := journal.send()) is not None:
        assert journal.receive(sent)
    assert [len(batch) for batch in store.batches] == [2, 2, 1]
    assert lane.is_settled


def test_one_batch_is_on_its_way_at_a_time(store: ScriptedStore) -> None:
    """What is handed in meanwhile waits for the answer to the first."""
    journal = journal_on(store)
    lane = Lane.of(run("r"))
    journal.append(lane, recorded("r"), leads=True)
    sent = journal.send()
    assert sent is not None
    journal.append(lane, recorded("r"), leads=True)
    assert journal.send() is None
    assert journal.receive(sent)
    assert journal.ring.waiting == 1
    assert journal.send() is not None


def test_a_thread_that_waits_takes_the_answer_first(store: ScriptedStore) -> None:
    """The loop may be busy with anything: nobody waits for it, and the order of a lane is kept."""
    journal = journal_on(store)
    lane = Lane.of(run("r"))
    first, second = recorded("r"), recorded("r")
    journal.append(lane, first, leads=True)
    sent = journal.send()
    assert isinstance(sent, SentEntries)
    sent.is_there = False
    journal.wait(lane, journal.append(lane, second, leads=True))
    assert store.committed == [first, second]
    assert journal.receive(sent)  # the loop, later


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_batch_whose_answer_is_lost_goes_again_and_takes_effect_once(
    store: ScriptedStore, is_committed: bool
) -> None:
    """The same entries, by whoever has the turn next."""
    journal = journal_on(store)
    lane, entry, verdicts = Lane.of(run("r")), recorded("r"), list[object]()
    (store.after if is_committed else store.before).append(raising(StoreUnavailableError("gone")))
    number = journal.append(lane, entry, verdicts.append, leads=True)
    sent = journal.send()
    assert sent is not None
    assert journal.receive(sent)
    assert not lane.is_settled
    journal.wait(lane, number)
    assert store.committed == [entry]
    assert store.sent == [[entry], [entry]]
    assert verdicts == [Accepted()]


def test_a_sent_batch_of_a_worker_that_has_joined_anew_is_void_but_for_outsiders(store: ScriptedStore) -> None:
    """The heartbeat found the row gone while the batch was on its way: what runs did is another worker's to repeat."""
    told, names = Told(), ["worker"]
    journal = journal_on(store, told)
    journal.worker_id = lambda: names[-1]
    held, outside, verdicts = Lane.of(run("r")), Lane(), list[object]()
    store.before.append(raising(Fenced("no row")))
    journal.append(held, recorded("r"), verdicts.append, leads=True)
    submitted = created("submitted", held_as="a claim")
    number = journal.append(outside, submitted, verdicts.append, leads=True)
    assert journal.send() is not None
    with journal.turn():
        names.append("worker anew")
    journal.wait(outside, number)
    with pytest.raises(RunInterrupted):
        journal.wait(held, 1)
    assert store.committed == [submitted]
    assert submitted.held_as is None
    assert [type(verdict) for verdict in verdicts] == [Refused, Accepted]


def test_who_has_the_turn_passes_it_on_to_the_loop_that_found_it_taken(store: ScriptedStore) -> None:
    """The writer would hand everything over to another thread, and go on for as long as anything comes."""
    journal, lane = journal_on(store), Lane.of(run("r"))
    asked: list[str] = []

    def ask() -> bool:
        asked.append("loop")
        return True

    def find_it_taken() -> None:
        journal.append(lane, recorded("r"), leads=True)
        thread = threading.Thread(target=lambda: asked.append(str(journal.send(ask))))
        thread.start()
        thread.join()

    for commit in (journal.commit_all, journal.lead):
        asked.clear()
        journal.append(lane, recorded("r"), leads=True)
        store.before.append(find_it_taken)
        commit()
        assert asked == ["None", "loop"]
        assert not journal._writer._is_called
        assert journal.ring.waiting == 1  # for the loop to send
        assert journal.receive(journal.send(ask))  # type: ignore[arg-type]  # it is sent, or this fails


@pytest.mark.parametrize("why", ["the loop is closed", "the worker stops"])
def test_the_writer_goes_on_where_the_loop_cannot(store: ScriptedStore, why: str) -> None:
    """Nothing is left behind."""
    journal, lane = journal_on(store), Lane.of(run("r"))
    if why == "the worker stops":
        journal._writer.stop_at = 0.0

    def find_it_taken() -> None:
        journal.append(lane, recorded("r"), leads=True)
        thread = threading.Thread(target=lambda: journal.send(lambda: why == "the worker stops"))
        thread.start()
        thread.join()

    journal.append(lane, recorded("r"), leads=True)
    store.before.append(find_it_taken)
    journal.commit_all()
    assert lane.is_settled
    assert len(store.batches) == 2
