"""The rules of a queue's slots: who is next, and how many are claimed ahead of their slots."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from perdure._engine.claiming.slots import CLAIM_AT_ONCE, Slots


def runs(number: int, *, attempts: int = 1) -> list[Any]:
    """What a claim has found; the rules never look inside."""
    return [SimpleNamespace(priority=0, attempts=attempts, nth=nth) for nth in range(number)]


def serve(slots: Slots, *, claimed: int, at: float) -> int:
    """One claim that finds so many, or all that are asked for; how many those were."""
    asked = slots.ask(at)
    slots.receive(runs(min(claimed, asked)), is_all=claimed < asked, now=at)
    return asked


def test_a_claim_asks_for_the_free_slots_while_nothing_is_known_of_the_rate() -> None:
    """What cannot begin at once stays where every process can have it."""
    assert serve(Slots(4), claimed=100, at=10.0) == 4


def test_short_runs_are_claimed_ahead() -> None:
    """Four runs in a hundredth of a second: twenty will be needed in the time that a claim looks ahead."""
    slots = Slots(4)
    serve(slots, claimed=100, at=10.0)
    slots.begin()
    slots.used = 0

    assert serve(slots, claimed=100, at=10.01) == 4 + 20


def test_no_more_than_a_claims_worth_is_claimed_ahead() -> None:
    """However short the runs are."""
    slots = Slots(8)
    serve(slots, claimed=100, at=10.0)
    slots.begin()
    slots.used = 0

    assert serve(slots, claimed=100, at=10.0) == CLAIM_AT_ONCE


def test_long_runs_are_not_claimed_ahead() -> None:
    """Another process may have a free slot for them."""
    slots = Slots(4)
    serve(slots, claimed=100, at=10.0)
    slots.begin()
    slots.used = 0

    assert serve(slots, claimed=100, at=12.0) == 4


def test_a_claim_never_asks_for_less_than_nothing() -> None:
    """A slot was freed just now and more wait here than it can take: what other queues ask for is not lessened, and
    that runs wait in the database is not forgotten.
    """
    slots = Slots(1)
    slots.used = 1
    slots.receive(runs(5), is_all=False, now=10.0)
    slots.used = 0

    assert slots.wants_more
    asked = slots.ask(12.0)
    slots.receive([], is_all=asked > 0, now=12.0)
    assert asked == 0
    assert slots.has_backlog


def test_a_claim_for_none_is_none() -> None:
    """Runs begin more slowly than when so many were claimed ahead; what waits in the database is not forgotten, else
    all slots stood empty until the next poll.
    """
    slots = Slots(4)
    serve(slots, claimed=100, at=10.0)
    slots.begin()
    slots.ask(10.1)
    slots.receive([], is_all=False, now=10.1)
    assert slots.used == 4
    assert slots.ahead
    assert slots.wants_more
    assert slots.ask(20.0) == 0
    assert not slots.is_asking
    assert slots.has_backlog
    slots.used = 3
    assert slots.wants_more


def test_what_was_claimed_ahead_begins_before_what_is_made_here() -> None:
    """The oldest first."""
    slots = Slots(1)
    slots.receive(runs(2), is_all=False, now=10.0)
    slots.has_backlog = False

    slots.begin()
    slots.used = 0

    assert not slots.is_free
    assert [run.nth for run in slots.begin()] == [1]


def test_a_run_that_was_charged_for_a_death_is_not_claimed_ahead() -> None:
    """Its next death would be charged too, though it did nothing; for a while nothing is claimed ahead."""
    slots = Slots(1)

    back = slots.receive(runs(3, attempts=2), is_all=False, now=10.0)
    slots.begin()
    slots.used = 0

    assert [run.nth for run in back] == [1, 2]
    assert slots.ask(10.01) == 1


def test_nothing_is_claimed_ahead_where_some_are_more_urgent() -> None:
    """What was goes back, for it may be less urgent than what comes."""
    slots = Slots(1)
    slots.receive(runs(3), is_all=False, now=10.0)
    slots.begin()

    assert len(slots.note(priority=-1)) == 2
    assert slots.ask(10.0) == 0
    assert slots.note(priority=5) == []


def test_who_goes_on_comes_before_who_begins() -> None:
    """A run that has waited holds memory; one that was only claimed does not."""
    slots = Slots(1)
    asker: Any = SimpleNamespace(state=SimpleNamespace(has_slot=False))
    slots.resuming.append((asker, lambda: None))
    slots.receive(runs(1), is_all=False, now=10.0)

    assert len(slots.resume()) == 1
    assert slots.begin() == []


def test_a_run_that_was_claimed_ahead_and_waits_for_long_goes_back() -> None:
    """A long run has taken the slot after short ones; then nothing is claimed ahead any more, and it is looked for."""
    slots = Slots(1)
    slots.receive(runs(1), is_all=True, now=10.0)
    slots.receive(runs(1), is_all=True, now=12.0)
    slots.ahead, slots.has_backlog = 20, False

    assert len(slots.take_late(11.0)) == 1
    assert (len(slots.ready), slots.ahead, slots.has_backlog) == (1, 0, True)


def test_where_runs_weigh_room_is_made_for_the_heaviest() -> None:
    """What a claim brings is not known before: a heavy run must not wait here while another process could have it."""
    slots = Slots(16, lambda name: 8, 8)
    assert slots.ask(0.0) == 2
    slots.receive([], is_all=True, now=0.0)
    slots.used, slots.has_backlog = 9, True
    assert not slots.wants_more


def urgent(priority: int, *, nth: int = 0) -> Any:
    """A run that goes before those with a higher number."""
    return SimpleNamespace(priority=priority, attempts=1, nth=nth)


def short_ones_ahead(slots: Slots) -> int:
    """As after many short runs: one slot is taken, and some wait that were claimed ahead; how many."""
    serve(slots, claimed=100, at=10.0)
    slots.begin()
    slots.used = 0
    serve(slots, claimed=100, at=10.01)
    slots.begin()
    return len(slots.ready)


def test_a_more_urgent_run_goes_before_those_that_were_claimed_earlier() -> None:
    """Another process has made it meanwhile; it is found with the next claim, and does not stand behind them."""
    slots = Slots(1)
    waiting = short_ones_ahead(slots)
    assert waiting > 1
    slots.ask(10.02)
    slots.receive([urgent(-1), urgent(0), urgent(5)], is_all=False, now=10.02)
    slots.used = 0

    assert [run.priority for run in slots.begin()] == [-1]
    assert [run.priority for run, _ in slots.ready] == [0] * (waiting + 1) + [5]


def test_equals_stay_in_their_order() -> None:
    """First in, first out, among those of one priority."""
    slots = Slots(1)
    slots.used = 1
    slots.receive([urgent(1, nth=0), urgent(1, nth=1), urgent(0, nth=2)], is_all=False, now=10.0)
    slots.receive([urgent(1, nth=3), urgent(0, nth=4)], is_all=False, now=10.0)

    assert [run.nth for run, _ in slots.ready] == [2, 4, 0, 1, 3]  # type: ignore[attr-defined]  # see `urgent`


def test_what_is_less_urgent_than_a_new_run_goes_back() -> None:
    """The next claim takes both in their order; what is as urgent, or more, was there first and stays."""
    slots = Slots(1)
    slots.used = 1
    slots.receive([urgent(0), urgent(1), urgent(2)], is_all=False, now=10.0)

    assert [run.priority for run in slots.note(0)] == [1, 2]
    assert [run.priority for run, _ in slots.ready] == [0]
    assert slots.has_backlog


def test_where_nobody_has_a_priority_nothing_goes_back() -> None:
    """Short runs are made and claimed by the thousand."""
    slots = Slots(1)
    waiting = short_ones_ahead(slots)
    assert slots.note(0) == []
    assert len(slots.ready) == waiting


def test_an_answer_is_meant_for_the_asking_that_it_answers() -> None:
    """A run has given back what it had asked for, and asks again when the answer comes: it has no slot."""
    slots = Slots(4)
    slots.is_shared = True
    run: Any = SimpleNamespace(claim="c", name="f", state=SimpleNamespace(has_slot=False, uses_slots=True))
    slots.resuming.append((run, lambda: None))
    asked = slots.askers()
    slots.ask(10.0)
    slots.take_asking(run)  # another branch of it waits
    slots.give(run)
    slots.was_given(run)
    slots.resuming.append((run, lambda: None))

    assert slots.go_on(asked, {"c"}) == ([], [run])
    assert (run.state.has_slot, slots.used) == (False, 0)
    slots.give(run)
    slots.was_given(run)
    asked = slots.askers()
    slots.ask(11.0)
    granted, unwanted = slots.go_on(asked, {"c"})
    assert (len(granted), unwanted, run.state.has_slot) == (1, [], True)
