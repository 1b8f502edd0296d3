"""When schedules come, and which of what is over they start: rules of values, over both changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from perdure._core.instants import Rule
from perdure._core.scheduled import MOST_TOGETHER, Outcome, Standing, instant_of, outcome_of, run_id_of

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def at(text: str, zone: str = "UTC") -> float:
    """A moment by the clocks of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def instants(cron: str, zone: str, since: str, count: int) -> list[str]:
    """The next ones, as clocks there show them; backwards they are the same."""
    rule = Rule(cron=cron, timezone=zone)
    found = list(islice(rule.walk(at(since, zone)), count))
    for earlier, later in pairwise(found):
        assert rule.after(earlier) == later
        assert rule.latest(later) == later
        assert rule.latest(later - 0.5) == earlier
    return [datetime.fromtimestamp(instant, ZoneInfo(zone)).strftime("%m-%d %H:%M:%S%z") for instant in found]


SPRING = [
    (BERLIN, "2026-03-28T03:00", "30 2 * * *", ["03-29 03:00:00+0200", "03-30 02:30:00+0200"]),
    (BERLIN, "2026-03-28T03:00", "10 30 2 * * *", ["03-29 03:00:00+0200", "03-30 02:30:10+0200"]),
    (BERLIN, "2026-03-28T12:00", "0,30 2 * * *", ["03-29 03:00:00+0200", "03-30 02:00:00+0200"]),
    (BERLIN, "2026-03-29T01:10", "30 * * * *", ["03-29 01:30:00+0100", "03-29 03:30:00+0200"]),
    (NEW_YORK, "2026-03-07T03:00", "0 2 * * *", ["03-08 03:00:00-0400", "03-09 02:00:00-0400"]),
    (NEW_YORK, "2026-03-08T01:10", "*/30 * * * *", ["03-08 01:30:00-0500", "03-08 03:00:00-0400"]),
    (LORD_HOWE, "2026-10-03T03:00", "15 2 * * *", ["10-04 02:30:00+1100", "10-05 02:15:00+1100"]),
    (LORD_HOWE, "2026-10-04T01:40", "*/15 * * * *", ["10-04 01:45:00+1030", "10-04 02:30:00+1100"]),
]
AUTUMN = [
    (BERLIN, "2026-10-24T03:00", "30 2 * * *", ["10-25 02:30:00+0200", "10-26 02:30:00+0100"]),
    (BERLIN, "2026-10-25T01:50", "*/30 * * * *", ["10-25 02:00:00+0200", "10-25 02:30:00+0200", "10-25 02:00:00+0100"]),
    (NEW_YORK, "2026-10-31T02:00", "15 30 1 * * *", ["11-01 01:30:15-0400", "11-02 01:30:15-0500"]),
    (NEW_YORK, "2026-11-01T00:50", "0 * * * *", ["11-01 01:00:00-0400", "11-01 01:00:00-0500", "11-01 02:00:00-0500"]),
    (LORD_HOWE, "2026-04-04T02:00", "45 1 * * *", ["04-05 01:45:00+1100", "04-06 01:45:00+1030"]),
    (LORD_HOWE, "2026-04-05T01:20", "*/30 * * * *", ["04-05 01:30:00+1100", "04-05 01:30:00+1030"]),
]


@pytest.mark.parametrize(("zone", "since", "cron", "expected"), SPRING)
def test_in_spring_nothing_is_lost(zone: str, since: str, cron: str, expected: list[str]) -> None:
    """What falls into the hour that is left out comes when it is over; what goes by time goes on."""
    assert instants(cron, zone, since, len(expected)) == expected


@pytest.mark.parametrize(("zone", "since", "cron", "expected"), AUTUMN)
def test_in_autumn_nothing_comes_twice(zone: str, since: str, cron: str, expected: list[str]) -> None:
    """What falls into the hour that is there twice comes the first time; what goes by time comes in both."""
    assert instants(cron, zone, since, len(expected)) == expected


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, LORD_HOWE, "UTC"])
def test_a_daily_line_comes_once_a_day_whatever_the_hour(zone: str) -> None:
    """A year of days, at each half hour of the night."""
    for minute in range(0, 240, 30):
        rule = Rule(cron=f"{minute % 60} {minute // 60} * * *", timezone=zone)
        found = list(islice(rule.walk(at("2026-01-01T12:00", zone)), 365))
        days = [datetime.fromtimestamp(instant, ZoneInfo(zone)).date() for instant in found]
        assert len(set(days)) == 365, minute
        assert (days[-1] - days[0]).days == 364


def test_an_interval_is_counted_from_the_epoch() -> None:
    """So it does not drift, and every process counts the same."""
    rule = Rule(every_seconds=7.0)
    assert list(islice(rule.walk(13.5), 3)) == [14.0, 21.0, 28.0]
    assert (rule.after(14.0), rule.latest(14.0), rule.latest(20.9)) == (21.0, 14.0, 14.0)


def test_what_comes_once_comes_once() -> None:
    """And never after."""
    rule = Rule(once_at=5.0)
    assert (rule.after(4.9), rule.after(5.0), rule.latest(4.9), rule.latest(5.0)) == (5.0, None, None, 5.0)


def test_a_jitter_is_the_same_in_every_process() -> None:
    """It is drawn from the name and the instant, and another one for each."""
    rule = Rule(every_seconds=3600.0, jitter_seconds=600.0)
    late = [rule.starts_at("a", 3600.0 * count) - 3600.0 * count for count in range(50)]
    assert late == [rule.starts_at("a", 3600.0 * count) - 3600.0 * count for count in range(50)]
    assert all(0 <= seconds < 600 for seconds in late)
    assert len(set(late)) > 45
    assert rule.starts_at("b", 3600.0) != rule.starts_at("a", 3600.0)


def test_the_instant_is_in_the_id() -> None:
    """From which the run knows it."""
    moment = at("2026-11-28T09:00")
    assert run_id_of("a:b", moment) == "schedule:a:b:2026-11-28T09:00:00Z"
    assert instant_of(run_id_of("a:b", moment)) == datetime(2026, 11, 28, 9, tzinfo=UTC)
    assert instant_of(run_id_of("a", moment + 0.25)) == datetime(2026, 11, 28, 9, 0, 0, 250_000, tzinfo=UTC)
    assert instant_of("order-2026-11-28T09:00:00Z") is None


HOUR = 3600.0


def outcome(now: float, **changes: Any) -> Outcome | None:
    """Of an hourly schedule whose next instant is the first hour."""
    values: dict[str, Any] = {
        "name": "s",
        "rule": Rule(every_seconds=HOUR),
        "overlap": "allow",
        "catch_up": "latest",
        "next_instant": HOUR,
        "last_run_id": "old",
        "is_running": False,
    }
    return outcome_of(Standing(**(values | changes)), now)


def starts(now: float, **changes: Any) -> list[float]:
    """The instants that are started, in hours."""
    found = outcome(now, **changes)
    assert found is not None
    return [instant / HOUR for instant in found.instants]


def test_what_is_on_time_is_started_whatever_is_to_be_caught_up() -> None:
    """A minute is not late; before its time nothing is started."""
    for catch_up in ("latest", "all", "skip"):
        assert starts(HOUR + 59, catch_up=catch_up) == [1]
        assert outcome(HOUR - 0.001, catch_up=catch_up) is None


@pytest.mark.parametrize(
    ("catch_up", "late", "on_time"),
    [("latest", [5], [5]), ("all", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]), ("skip", [], [5])],
)
def test_what_was_missed_is_caught_up_as_it_says(catch_up: str, late: list[float], on_time: list[float]) -> None:
    """Five hours were missed; or four, and the fifth is just now. The next one is the sixth."""
    assert starts(5.5 * HOUR, catch_up=catch_up) == late
    assert starts(5 * HOUR + 1, catch_up=catch_up) == on_time
    found = outcome(5.5 * HOUR, catch_up=catch_up)
    assert found is not None
    assert found.next_instant == 6 * HOUR


def test_many_that_were_missed_are_started_bit_by_bit() -> None:
    """The next look goes on where this one ended."""
    found = outcome(1000.5 * HOUR, catch_up="all")
    assert found is not None
    assert len(found.instants) == MOST_TOGETHER
    assert found.next_instant == found.instants[-1] + HOUR
    assert found.next_instant < 1000 * HOUR


def test_short_ones_between_two_looks_are_all_on_time() -> None:
    """A schedule of every second loses none because somebody looks once a second."""
    rule = Rule(every_seconds=1.0)
    for catch_up in ("latest", "all", "skip"):
        found = outcome(HOUR + 2.5, rule=rule, catch_up=catch_up)
        assert found is not None
        assert found.instants == (HOUR, HOUR + 1, HOUR + 2)


def test_while_the_last_run_is_running_the_instant_is_left_out() -> None:
    """And that is noted; where several come at once, only the first begins."""
    found = outcome(HOUR, overlap="skip", is_running=True)
    assert found == Outcome(instants=(), cancels=None, skipped=HOUR, next_instant=2 * HOUR)
    found = outcome(3.5 * HOUR, overlap="skip", catch_up="all")
    assert found == Outcome(instants=(HOUR,), cancels=None, skipped=3 * HOUR, next_instant=4 * HOUR)


def test_what_queues_waits_for_the_last_run() -> None:
    """One after the other; what came meanwhile is caught up as it says."""
    assert outcome(HOUR, overlap="queue", is_running=True) is None
    found = outcome(3.5 * HOUR, overlap="queue", catch_up="all")
    assert found == Outcome(instants=(HOUR,), cancels=None, skipped=None, next_instant=2 * HOUR)
    found = outcome(3.5 * HOUR, overlap="queue")
    assert found == Outcome(instants=(3 * HOUR,), cancels=None, skipped=None, next_instant=4 * HOUR)


def test_the_old_run_is_cancelled_for_the_newest() -> None:
    """Where there is one that runs, and something that begins."""
    found = outcome(3.5 * HOUR, overlap="cancel", catch_up="all", is_running=True)
    assert found == Outcome(instants=(3 * HOUR,), cancels="old", skipped=None, next_instant=4 * HOUR)
    found = outcome(HOUR, overlap="cancel")
    assert found == Outcome(instants=(HOUR,), cancels=None, skipped=None, next_instant=2 * HOUR)
    found = outcome(1.5 * HOUR, overlap="cancel", catch_up="skip", is_running=True)
    assert found == Outcome(instants=(), cancels=None, skipped=None, next_instant=2 * HOUR)


def test_a_jitter_delays_and_loses_nothing() -> None:
    """Every hour is started, each not before its own time."""
    rule, started, next_instant = Rule(every_seconds=HOUR, jitter_seconds=HOUR), list[float](), HOUR
    for now in range(3600, 3600 * 50, 30):
        found = outcome(float(now), rule=rule, next_instant=next_instant)
        if found is not None:
            assert all(rule.starts_at("s", instant) <= now for instant in found.instants)
            started += found.instants
            assert found.next_instant is not None
            next_instant = found.next_instant
    assert started == [HOUR * count for count in range(1, len(started) + 1)]
    assert len(started) >= 48
