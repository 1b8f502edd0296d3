"""Where a claim begins to look: past what was taken, until something tells of what is older."""

from __future__ import annotations

from perdure._engine.claiming.floors import LOOK_BACK_SECONDS, FloorKeeper

SOON = 0.1


def kept(at: tuple[int, int] = (0, 7), *, seconds: float = 0.0) -> FloorKeeper:
    """One that has learnt from a claim from the head, which took so long."""
    keeper = FloorKeeper()
    assert keeper.ask(1000.0 - seconds) is None
    keeper.learn(at, 1000.0 - seconds, 1000.0)
    return keeper


def test_the_next_claim_begins_where_the_last_one_ended() -> None:
    """And one that found nothing changes nothing."""
    keeper = kept()
    assert keeper.ask(1000.0 + SOON) == (0, 7)
    keeper.learn(None, 1000.0 + SOON, 1000.0 + SOON)
    assert keeper.at(1000.0 + 2 * SOON) == (0, 7)


def test_now_and_then_a_claim_begins_at_the_head() -> None:
    """What nothing told of is found, too."""
    assert kept().at(1000.0 + LOOK_BACK_SECONDS) is None


def test_a_look_at_the_head_that_takes_long_is_rare() -> None:
    """A fiftieth of the time goes into it, no more."""
    keeper = kept(seconds=0.5)
    assert keeper.at(1024.0) == (0, 7)
    assert keeper.at(1025.0) is None


def test_who_looks_at_the_head_and_finds_nothing_looks_for_all() -> None:
    """The poll does: then the next claim need not. One that began at the floor has not looked."""
    keeper = kept()
    keeper.look_back(1000.0 + SOON, 1000.0 + SOON)
    assert keeper.at(1000.0 + LOOK_BACK_SECONDS) is None
    keeper.look_back(1000.0 + LOOK_BACK_SECONDS, 1000.5 + LOOK_BACK_SECONDS)
    assert keeper.at(1024.0 + LOOK_BACK_SECONDS) == (0, 7)


def test_a_hint_lowers_the_floor_at_once() -> None:
    """Also while a claim is under way, which has not seen what it tells of."""
    keeper = kept()
    keeper.forget()
    assert keeper.at(1000.0 + SOON) is None
    keeper.ask(1000.0 + SOON)
    keeper.forget()
    keeper.learn((0, 9), 1000.0 + SOON, 1000.0 + SOON)
    assert keeper.at(1000.0 + 2 * SOON) is None


def test_only_a_more_urgent_run_lies_behind_the_floor() -> None:
    """One of the same priority is newer than all that was taken."""
    keeper = kept((3, 7))
    keeper.note(3)
    assert keeper.at(1000.0 + SOON) == (3, 7)
    keeper.note(2)
    assert keeper.at(1000.0 + SOON) is None
