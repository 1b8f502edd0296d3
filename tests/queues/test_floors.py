"""Where a claim begins to look: past what was taken, until something tells of what is older."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure._engine.claiming import room as rules
from perdure._engine.claiming.floors import LOOK_BACK_SECONDS, FloorKeeper
from perdure.stores.protocol import Floor, NothingDone
from tests.identity.staging import wait_until

SOON = 0.1
PLACE = Floor(0, 7)
QUEUE = perdure.Queue("floors")


def kept(at: Floor = PLACE, *, seconds: float = 0.0) -> FloorKeeper:
    """One that has learnt from a claim from the head, which took so long."""
    keeper = FloorKeeper()
    assert keeper.ask(1000.0 - seconds) is None
    keeper.learn(at, 1000.0 - seconds, 1000.0)
    return keeper


def test_the_next_claim_begins_where_the_last_one_ended() -> None:
    """And one that found nothing changes nothing."""
    keeper = kept()
    assert keeper.ask(1000.0 + SOON) == Floor(0, 7)
    keeper.learn(None, 1000.0 + SOON, 1000.0 + SOON)
    assert keeper.at(1000.0 + 2 * SOON) == Floor(0, 7)


def test_now_and_then_a_claim_begins_at_the_head() -> None:
    """What nothing told of is found, too."""
    assert kept().at(1000.0 + LOOK_BACK_SECONDS) is None


def test_a_look_at_the_head_that_takes_long_is_rare() -> None:
    """A fiftieth of the time goes into it, no more."""
    keeper = kept(seconds=0.5)
    assert keeper.at(1024.0) == Floor(0, 7)
    assert keeper.at(1025.0) is None


def test_who_looks_at_the_head_and_finds_nothing_looks_for_all() -> None:
    """The poll does: then the next claim need not. One that began at the floor has not looked."""
    keeper = kept()
    keeper.look_back(1000.0 + SOON, 1000.0 + SOON)
    assert keeper.at(1000.0 + LOOK_BACK_SECONDS) is None
    keeper.look_back(1000.0 + LOOK_BACK_SECONDS, 1000.5 + LOOK_BACK_SECONDS)
    assert keeper.at(1024.0 + LOOK_BACK_SECONDS) == Floor(0, 7)


def test_a_hint_lowers_the_floor_at_once() -> None:
    """Also while a claim is under way, which has not seen what it tells of."""
    keeper = kept()
    keeper.forget()
    assert keeper.at(1000.0 + SOON) is None
    keeper.ask(1000.0 + SOON)
    keeper.forget()
    keeper.learn(Floor(0, 9), 1000.0 + SOON, 1000.0 + SOON)
    assert keeper.at(1000.0 + 2 * SOON) is None


def test_only_a_more_urgent_run_lies_behind_the_floor() -> None:
    """One of the same priority is newer than all that was taken."""
    keeper = kept(Floor(3, 7))
    keeper.note(3)
    assert keeper.at(1000.0 + SOON) == Floor(3, 7)
    keeper.note(2)
    assert keeper.at(1000.0 + SOON) is None


def test_a_claim_that_finds_nothing_at_the_head_goes_on_where_it_was() -> None:
    """Nothing has become ready behind it."""
    keeper = kept()
    keeper.forget()
    assert keeper.ask(1000.0 + SOON) is None
    keeper.learn(None, 1000.0 + SOON, 1000.0 + SOON)
    assert keeper.at(1000.0 + 2 * SOON) == Floor(0, 7)


def test_after_a_look_in_vain_claims_go_on_from_where_they_have_come_to() -> None:
    """Also where one had found something at the head, and the way from there is what takes too long; whatever tells of
    more, a tenth of the time goes into looking back.
    """
    keeper = kept(Floor(0, 7))
    keeper.forget()
    assert keeper.ask(1000.0 + SOON) is None
    keeper.learn(Floor(0, 1), 1000.0 + SOON, 1000.0 + SOON)
    assert keeper.ask(1000.0 + 2 * SOON) == Floor(0, 1)
    keeper.look_in_vain(1000.0 + 2 * SOON, 1010.0)
    keeper.forget()
    assert keeper.ask(1010.0 + SOON) == Floor(0, 7, is_firm=True)
    keeper.learn(Floor(0, 8), 1010.0 + SOON, 1010.0 + SOON)
    assert keeper.at(1107.0) == Floor(0, 8, is_firm=True)
    assert keeper.ask(1110.0) is None
    keeper.learn(None, 1110.0, 1110.0)
    assert keeper.at(1110.0 + SOON) == Floor(0, 8)


@pytest.mark.parametrize("kind", ["claim", "pulse"])
def test_a_worker_whose_look_was_in_vain_goes_on_from_its_floor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Its claims, and its polls, which are made again: both would begin at the head, and be cut off there, for ever."""
    monkeypatch.setattr(rules, "VAIN_SECONDS", 0.01)
    with perdure.running(tmp_path / "a.db", serve=[QUEUE], poll_seconds=3600.0) as app:
        runtime = app._launched()
        floors: list[Floor | None] = []
        ask = getattr(runtime.store, kind)

        def look(*asked: Any) -> Any:
            if kind == "claim" and asked[1].last_attempts == "alone":
                return ask(*asked)  # it has no floor, and looks for few
            found = asked[1].floors if kind == "claim" else asked[3]
            floors.append(found.get(QUEUE.name))
            if len(floors) == 1:
                time.sleep(SOON)
                raise NothingDone("canceling statement due to statement timeout")
            return ask(*asked)

        keeper = runtime.room.slots[QUEUE.name].floor
        with runtime.room.lock:
            keeper.ask(time.monotonic())
            keeper.learn(PLACE, time.monotonic(), time.monotonic())
        setattr(runtime.store, kind, look)
        for number in (1, 2):
            runtime.room.expect_backlog()
            runtime.poller.poke()
            wait_until(lambda number=number: len(floors) >= number)  # type: ignore[misc]  # bound at once
        assert floors[:2] == [None, PLACE._replace(is_firm=True)]
