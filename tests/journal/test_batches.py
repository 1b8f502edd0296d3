"""What goes into a batch: the order within a lane, fairness between lanes, bytes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from random import Random

import pytest

from perdure._engine.hosting.asyncio.closing_loops import guard
from perdure._engine.hosting.asyncio.leader import LoopLeader
from perdure._engine.journal import journal as journal_module
from perdure._engine.journal.journal import Journal
from perdure._engine.journal.lanes import BATCH_BYTES, BATCH_ENTRIES, LEAST_HALF, MOST_TURNS, Batch, Lane
from perdure._engine.journal.writer import MOMENT_SECONDS
from perdure._entries import Accepted, RunParked, StepRecorded
from tests.journal.scripted import ScriptedStore, created, journal_on, recorded, run


def committed_keys(store: ScriptedStore, name: str) -> list[int]:
    return [int(entry.key) for entry in store.committed if isinstance(entry, StepRecorded) and entry.run_id == name]


def test_the_entries_of_a_lane_are_committed_in_their_order() -> None:
    """Whoever commits: eight threads, each with a lane, that wait now and then, beside the writer thread."""
    store = ScriptedStore()
    journal = journal_on(store)
    journal.start()

    def work(number: int) -> None:
        chance = Random(number)  # noqa: S311  # repeatable chance
        lane = Lane.of(run(f"r{number}"))
        for _ in range(300):
            last = journal.append(lane, recorded(f"r{number}"), leads=chance.random() < 0.5)
            if chance.random() < 0.1:
                journal.wait(lane, last)
        journal.wait(lane, lane.appended)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.stop(0.0)

    for number in range(8):
        keys = committed_keys(store, f"r{number}")
        assert len(keys) == 300
        assert keys == sorted(keys)


def test_a_run_that_makes_many_children_does_not_stop_another() -> None:
    """A hundred thousand creations wait; another run's checkpoint is in the next batch but one at the latest."""
    store = ScriptedStore()
    journal = journal_on(store)
    busy, lone = Lane.of(run("busy")), Lane.of(run("lone"))
    for number in range(100_000):
        journal.append(busy, created(f"child {number}", claim="claim of busy"), leads=True)
    journal.wait(busy, 1)
    before = len(store.batches)

    journal.wait(lone, journal.append(lone, recorded("lone"), leads=True))

    assert len(store.batches) - before <= 2
    assert all(len(batch) <= BATCH_ENTRIES for batch in store.batches)


def test_a_run_that_records_large_values_does_not_stop_another() -> None:
    """Batches full of bytes go round the lanes too."""
    store = ScriptedStore()
    journal = journal_on(store)
    busy, lone = Lane.of(run("busy")), Lane.of(run("lone"))
    for _ in range(60):
        journal.append(busy, recorded("busy", size=BATCH_BYTES // 3), leads=True)
    journal.wait(busy, 1)
    before = len(store.batches)

    journal.wait(lone, journal.append(lone, recorded("lone"), leads=True))

    assert len(store.batches) - before <= 2


def test_a_large_value_has_a_batch_of_its_own() -> None:
    """Nobody's small entry waits for its transfer."""
    store = ScriptedStore()
    journal = journal_on(store)
    lane, other = Lane.of(run("r")), Lane.of(run("other"))
    for size in (0, 2 * BATCH_BYTES, 0):
        journal.append(lane, recorded("r", size=size), leads=True)
    journal.append(other, recorded("other"), leads=True)
    journal.wait(lane, lane.appended)

    [large] = [batch for batch in store.batches if any(len(e.outcome.text) > BATCH_BYTES for e in batch)]  # type: ignore[union-attr]
    assert len(large) == 1
    assert committed_keys(store, "r") == sorted(committed_keys(store, "r"))


def test_a_large_value_is_not_overtaken_for_ever() -> None:
    """It opens the next batch, although another run always has something small that would fit."""
    store = ScriptedStore()
    journal = journal_on(store)
    small, large = Lane.of(run("small")), Lane.of(run("large"))
    for _ in range(20_000):
        journal.append(small, recorded("small"), leads=True)
    number = journal.append(large, recorded("large", size=2 * BATCH_BYTES), leads=True)

    journal.wait(large, number)

    assert len(store.batches) <= 3


def test_no_batch_is_heavier_than_the_limit_unless_it_is_one_value() -> None:
    """A megabyte, whatever the mixture."""
    store = ScriptedStore()
    journal = journal_on(store)
    chance = Random(7)  # noqa: S311  # repeatable chance
    lanes = [Lane.of(run(f"r{number}")) for number in range(20)]
    for _ in range(400):
        lane = chance.choice(lanes)
        journal.append(lane, recorded(lane.run.run_id, size=chance.choice([10, 90_000, 700_000])), leads=True)  # type: ignore[union-attr]
    for lane in lanes:
        journal.wait(lane, lane.appended)

    for batch in store.batches:
        assert len(batch) == 1 or sum(len(e.outcome.text) for e in batch) <= BATCH_BYTES  # type: ignore[union-attr]
    assert len(store.committed) == 400


def test_who_hands_in_more_than_the_queue_holds_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is bounded in bytes: `append` comes back when there is room again."""
    monkeypatch.setattr(journal_module, "QUEUED_BYTES", 10_000)
    store = ScriptedStore()
    journal = journal_on(store)
    lane = Lane.of(run("r"))
    for _ in range(100):
        journal.append(lane, recorded("r", size=1000), leads=True)
        assert journal.ring.bytes <= 10_000

    assert len(store.committed) > 80


def test_the_end_of_a_claim_does_not_wait_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes room, and whoever hands it in may hold what the committing thread waits for."""
    monkeypatch.setattr(journal_module, "QUEUED_BYTES", 10)
    store = ScriptedStore()
    journal = journal_on(store)
    journal.append(Lane.of(run("r")), RunParked("r", "claim of r", stopped="mend", reason="it differs"), leads=True)
    assert not store.committed
    assert journal.ring.waiting == 1


def test_an_entry_that_nobody_waits_for_is_committed() -> None:
    """The writer thread looks for laggards."""
    store = ScriptedStore()
    journal = journal_on(store)
    journal.start()
    lane = Lane.of(run("r"))
    for _ in range(3):  # the second and third find a writer that has gone to sleep, or is about to
        told = threading.Event()
        journal.append(lane, recorded("r"), lambda verdict, told=told: told.set(), leads=True)
        assert told.wait(10)
    journal.stop(0.0)

    assert len(store.committed) == 3


def test_deliveries_share_a_row_of_the_order_log() -> None:
    """One row for each batch, never one for each delivery; and no row without a bound."""
    store = ScriptedStore()
    journal = journal_on(store)
    held = run("r")
    lane = Lane.of(held)
    for position in range(MOST_TURNS + 10):
        journal.append_turn(lane, held, position, f"{position}")
    journal.wait(lane, lane.appended)

    logs = [SERIAL(entry) for entry in store.committed]
    assert [log[0] for log in logs] == [0, MOST_TURNS]
    assert [key for log in logs for key in log[1:]] == [str(position) for position in range(MOST_TURNS + 10)]


def SERIAL(entry: object) -> list[object]:  # noqa: N802
    """The log in an entry."""
    assert isinstance(entry, StepRecorded)
    return run("r").serializer.load(entry.outcome)  # type: ignore[no-any-return]


def test_a_verdict_is_told_before_the_waiter_goes_on() -> None:
    """Who waited for the commit finds the verdict there."""
    journal = journal_on(ScriptedStore())
    lane = Lane()
    verdicts: list[object] = []
    journal.wait(lane, journal.append(lane, created("r"), verdicts.append, leads=True))

    assert verdicts == [Accepted()]


@pytest.mark.parametrize(
    ("batches", "half"),
    [
        pytest.param([(60, 0), (60, 0)], 30, id="all at once: by halves from now on"),
        pytest.param([(30, 30), (30, 30)], 30, id="by halves: it stays so"),
        pytest.param([(64, 0), (20, 0)], 31, id="a small one between them: it is forgotten slowly"),
        pytest.param([(3, 0), (2, 0)], LEAST_HALF, id="of few, never fewer than is worth it"),
    ],
)
def test_half_of_what_there_is_is_worth_a_batch(batches: list[tuple[int, int]], half: int) -> None:
    """So two halves of the runs take turns, the one on its way to the database while the other goes on."""
    journal = journal_on(ScriptedStore())
    lane = Lane.of(run("r"))
    for committed, waiting in batches:
        for _ in range(committed - journal.ring.waiting):
            journal.append(lane, recorded("r"), leads=True)
        batch: Batch = []
        journal.ring.take(batch)
        for _ in range(waiting):
            journal.append(lane, recorded("r"), leads=True)
        journal.settle(batch, [Accepted()] * len(batch))
        assert len(batch) == committed
    assert journal.ring.half == half


def handed_in_by_a_loop(times: int, note: Callable[[Journal, Lane], int]) -> list[int]:
    """What is noted after each entry of a loop that never comes to rest."""

    async def hand_in() -> list[int]:
        store = ScriptedStore()
        store.can_begin = True
        journal = journal_on(store)
        lane = Lane.of(run("r"))
        loop = asyncio.get_running_loop()
        leader = LoopLeader(journal, guard(loop))
        noted = []
        for _ in range(times):
            journal.append(lane, recorded("r"), leads=True)
            leader.call(loop)
            noted.append(note(journal, lane))
        return noted

    return asyncio.run(hand_in())


def test_a_loop_sends_when_half_of_what_there_is_waits() -> None:
    """It need not come to rest before, as it must for fewer."""
    batches = handed_in_by_a_loop(LEAST_HALF + 1, lambda journal, lane: journal.batches)
    assert batches == [0] * (LEAST_HALF - 1) + [1, 1]


def test_a_loop_looks_for_the_answer_while_it_has_much_to_do() -> None:
    """When half of what there is waits again, and not only when it comes to ask the socket."""
    committed = handed_in_by_a_loop(2 * LEAST_HALF, lambda journal, lane: lane.committed)
    assert committed == [0] * (2 * LEAST_HALF - 1) + [LEAST_HALF]


def test_a_loop_gives_way_to_a_writer_that_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is half of what there is, once; for less the writer waits until the loop comes to rest."""
    rests: list[float] = []
    monkeypatch.setattr("perdure._engine.journal.writer.time.sleep", rests.append)
    journal = journal_on(ScriptedStore())
    journal._writer._is_resting = True
    lane = Lane.of(run("r"))
    for _ in range(LEAST_HALF - 1):
        journal.append(lane, recorded("r"), leads=True)
    assert journal.send() is None
    assert rests == []

    journal._writer._is_called = False
    journal.append(lane, recorded("r"), leads=True)
    assert [journal.send(), journal.send()] == [None, None]

    assert rests == [MOMENT_SECONDS]
