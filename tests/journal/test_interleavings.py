"""No wake-up is lost, whoever commits and however the threads take turns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from random import Random

import pytest

from perdure._engine import journal as journal_module
from perdure._engine import lanes as lanes_module
from perdure._engine import writer as writer_module
from perdure._engine.journal import Journal
from perdure._engine.lanes import Lane
from tests.journal.interleaving import ScheduledThreading, Scheduler, Stuck
from tests.journal.scripted import ScriptedStore, journal_on, recorded, run

FILES = (journal_module.__file__, lanes_module.__file__, writer_module.__file__)
PAIRS = 30
"""How many of the ways to switch twice are tried, for each program."""
Whole = Callable[[Journal], None]


def lead(journal: Journal, name: str, scheduled: ScheduledThreading) -> None:
    """Hand in and wait, as a thread does."""
    lane = Lane(run(name))
    journal.wait(lane, journal.append(lane, recorded(name), leads=True))


def watch(journal: Journal, name: str, scheduled: ScheduledThreading) -> None:
    """Hand in and watch, as an event loop does."""
    lane = Lane(run(name))
    signal = scheduled.Lock()
    signal.acquire()
    if journal.watch(lane, journal.append(lane, recorded(name)), signal.release):
        signal.acquire()


def send(journal: Journal, name: str, scheduled: ScheduledThreading) -> None:
    """Hand in and send, as an event loop does whose database can be waited for; then what is left, when it is told."""
    lane = Lane(run(name))
    signal = scheduled.Lock()
    signal.acquire()
    if journal.watch(lane, journal.append(lane, recorded(name), leads=True), signal.release):
        sent = journal.send()
        while sent is not None:
            while not journal.receive(sent):
                scheduled.wait_while(lambda: journal._turn.is_held)  # type: ignore[attr-defined]  # a scheduled one
            sent = journal.send() if journal.ring.waiting else None
        signal.acquire()


PROGRAMS = {
    "two threads": (lead, lead),
    "a thread and a loop": (lead, watch),
    "two loops": (watch, watch),
    "a thread and a loop that sends": (lead, send),
    "two loops that send": (send, send),
    "a loop that sends and a caller that does not wait": (send, watch),
}
Program = tuple[Callable[[Journal, str, ScheduledThreading], None], ...]


def execute(monkeypatch: pytest.MonkeyPatch, owners: Program, switches: dict[int, int], break_it: Whole) -> int:
    """The owners of two lanes beside the writer, which serves them: how many steps it took."""
    scheduler = Scheduler(switches, FILES)
    scheduled = ScheduledThreading(scheduler)
    monkeypatch.setattr(journal_module, "threading", scheduled)
    monkeypatch.setattr(lanes_module, "threading", scheduled)
    monkeypatch.setattr(writer_module, "threading", scheduled)
    store = ScriptedStore()
    store.can_begin = send in owners
    journal = journal_on(store)
    break_it(journal)

    jobs = [partial(owner, journal, f"r{number}", scheduled) for number, owner in enumerate(owners)]
    scheduler.run([*jobs, journal._writer._write], servants=1)

    assert len(store.committed) == len(owners)
    assert set(store.effects.values()) == {1}
    return scheduler.steps


def leave_whole(journal: Journal) -> None:
    """Nothing is broken."""


@pytest.mark.parametrize("owners", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_no_wake_up_is_lost(monkeypatch: pytest.MonkeyPatch, owners: Program) -> None:
    """Every way to switch once to another thread, and many ways to switch twice."""
    steps = execute(monkeypatch, owners, {}, leave_whole)
    for at in range(steps):
        for thread in range(1, 3):
            execute(monkeypatch, owners, {at: thread}, leave_whole)
    chance = Random(3)  # noqa: S311  # repeatable chance
    for first, second in chance.sample(list(combinations(range(steps + 20), 2)), PAIRS):
        switches = {first: chance.randrange(1, 3), second: chance.randrange(3)}
        execute(monkeypatch, owners, switches, leave_whole)


def test_a_lost_wake_up_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that does not look, after its turn, for what was handed in meanwhile, leaves somebody waiting."""

    def break_it(journal: Journal) -> None:
        journal._call_if_left = lambda: None  # type: ignore[method-assign]  # this is the breach

    def execute_all() -> None:
        for at in range(execute(monkeypatch, (lead, lead), {}, leave_whole)):
            execute(monkeypatch, (lead, lead), {at: 1}, break_it)

    with pytest.raises(Stuck):
        execute_all()
