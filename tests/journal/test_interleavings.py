"""No wake-up is lost, whoever commits and however the threads take turns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from random import Random

import pytest

from perdure._engine.journal import journal as journal_module
from perdure._engine.journal import lanes as lanes_module
from perdure._engine.journal import sender as sender_module
from perdure._engine.journal import writer as writer_module
from perdure._engine.journal.journal import Journal
from perdure._engine.journal.lanes import Lane
from tests.journal.interleaving import ScheduledThreading, Scheduler, Stuck
from tests.journal.scripted import ScriptedStore, journal_on, recorded, run

FILES = (journal_module.__file__, lanes_module.__file__, writer_module.__file__, sender_module.__file__)
PAIRS = 30
"""How many of the ways to switch twice are tried, for each program."""
Whole = Callable[[Journal], None]


def lead(journal: Journal, name: str, scheduled: ScheduledThreading) -> None:
    """Hand in and wait, as a thread does."""
    lane = Lane.of(run(name))
    journal.wait(lane, journal.append(lane, recorded(name), leads=True))


def watch(journal: Journal, name: str, scheduled: ScheduledThreading) -> None:
    """Hand in and watch, as an event loop does."""
    lane = Lane.of(run(name))
    signal = scheduled.Lock()
    signal.acquire()
    if journal.watch(lane, journal.append(lane, recorded(name)), signal.release):
        signal.acquire()


def send(journal: Journal, name: str, scheduled: ScheduledThreading) -> None:
    """Hand in and send, as an event loop does whose database can be waited for; then what is left, when it is told."""
    lane = Lane.of(run(name))
    signal = scheduled.Lock()
    signal.acquire()
    if journal.watch(lane, journal.append(lane, recorded(name), leads=True), signal.release):
        sent = journal.send()
        while sent is not None:
            while not journal.receive(sent):
                scheduled.wait_while(lambda: journal._turn.is_held)  # type: ignore[attr-defined]  # a scheduled one
            sent = journal.send() if journal.ring.waiting else None
        signal.acquire()


def ask(journal: Journal, name: str, scheduled: ScheduledThreading) -> None:
    """The same, and where the turn is taken it is told when it is free, as the loop's leader is."""
    lane = Lane.of(run(name))
    calls: list[str] = []

    def call() -> bool:
        calls.append("asked")
        return True

    if journal.watch(lane, journal.append(lane, recorded(name), leads=True), partial(calls.append, "committed")):
        while "committed" not in calls:
            calls.clear()
            sent = journal.send(call)
            while sent is not None:
                while not journal.receive(sent):
                    scheduled.wait_while(lambda: journal._turn.is_held)  # type: ignore[attr-defined]  # a scheduled one
                sent = journal.send(call) if journal.ring.waiting else None
            scheduled.wait_while(lambda: not calls)


PROGRAMS = {
    "two threads": (lead, lead),
    "a thread and a loop": (lead, watch),
    "two loops": (watch, watch),
    "a thread and a loop that sends": (lead, send),
    "two loops that send": (send, send),
    "a loop that sends and a caller that does not wait": (send, watch),
    "a thread and a loop that asks": (lead, ask),
    "two loops that ask": (ask, ask),
    "a loop that asks and a caller that does not wait": (ask, watch),
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
    store.can_begin = send in owners or ask in owners
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


def look_never(journal: Journal) -> None:
    """A leader that does not look, after its turn, for what was handed in meanwhile."""
    journal._call_if_left = lambda: None  # type: ignore[method-assign]  # this is the breach


def pass_on_to_nobody(journal: Journal) -> None:
    """A turn that is passed on to a loop that is not told."""

    def pass_on() -> bool:
        asking, journal._asking = journal._asking, None
        return asking is not None

    journal._pass_on = pass_on  # type: ignore[method-assign]  # this is the breach


@pytest.mark.parametrize(("owners", "break_it"), [((lead, lead), look_never), ((lead, ask), pass_on_to_nobody)])
def test_a_lost_wake_up_would_be_found(monkeypatch: pytest.MonkeyPatch, owners: Program, break_it: Whole) -> None:
    """Somebody is left waiting, at one of the switches."""

    def execute_all() -> None:
        for at in range(execute(monkeypatch, owners, {}, leave_whole)):
            for thread in (1, 2):
                execute(monkeypatch, owners, {at: thread}, break_it)

    with pytest.raises(Stuck):
        execute_all()
