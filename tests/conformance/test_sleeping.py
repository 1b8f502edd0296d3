"""Durable time: sleeps, clocks, and values that replay."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import perdure
from perdure import start, step, workflow
from tests.conformance.ledger import MOMENT_SECONDS, areplay, ran, replay, state_of, until

pytestmark = pytest.mark.usefixtures("app")


@step
def body(name: str) -> str:
    """It leaves a line."""
    ran.append(name)
    return name


@workflow
def sleeps(seconds: float) -> str:
    """A step, a sleep, a step."""
    body("before")
    perdure.sleep(seconds)
    return body("after")


@pytest.mark.parametrize("seconds", [0, 0.0, 1e-9, MOMENT_SECONDS], ids=repr)
def test_a_short_sleep_passes(seconds: float) -> None:
    """Temporal's and Restate's timers of no time."""
    assert sleeps(seconds) == "after"
    assert ran == ["before", "after"]


@pytest.mark.parametrize("seconds", [-1, -1e-9, float("nan"), float("-inf")], ids=repr)
def test_a_sleep_that_cannot_be_is_refused_where_it_is_asked_for(seconds: float) -> None:
    """Python's own `time.sleep` refuses it too; the run fails with the reason."""
    with pytest.raises(perdure.UsageError, match="sleep"):
        sleeps(seconds)
    with pytest.raises(perdure.UsageError, match="sleep"):
        perdure.sleep(seconds)
    assert ran == ["before"]


@workflow
def sleeps_until(when: datetime) -> str:
    """Until a time."""
    perdure.sleep_until(when)
    return body("awake")


@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(hours=-11, minutes=-30)), ZoneInfo("Pacific/Kiritimati")], ids=str
)
def test_a_time_that_is_past_passes_in_every_zone(zone: Any) -> None:
    """Ten in the morning is an instant only with its zone (Inngest's sleepUntil)."""
    assert sleeps_until(datetime.now(zone) - timedelta(days=1)) == "awake"
    assert sleeps_until(datetime.now(zone) + timedelta(milliseconds=20)) == "awake"


def test_a_time_without_a_zone_is_refused() -> None:
    """It means another instant on every machine."""
    with pytest.raises(perdure.UsageError, match="time zone"):
        sleeps_until(datetime(2020, 1, 1))


def test_many_runs_sleep_without_a_thread_each() -> None:
    """DBOS: ten thousand sleeping workflows are rows. Here two hundred, all woken."""
    handles = [start(sleeps, 0.1) for _ in range(200)]
    assert {handle.result() for handle in handles} == {"after"}
    assert (ran.count("before"), ran.count("after")) == (200, 200)


@workflow
async def asleeps(name: str, seconds: float) -> str:
    """The async twin."""
    await perdure.sleep(seconds)
    return name


@workflow
async def sleeps_together() -> list[str]:
    """Branches that sleep at once."""
    first = datetime.now(UTC)
    await asyncio.gather(*(perdure.sleep(0.1) for _ in range(20)))
    ran.append(str((datetime.now(UTC) - first).total_seconds() < 1.5))
    seen = await asyncio.gather(asleeps("a", 0.05), asleeps("b", 0.0), asleeps("c", 0.02))
    await areplay()
    return list(seen)


def test_branches_sleep_at_the_same_time() -> None:
    """Restate's combinators: twenty sleeps of a tenth of a second are no two seconds."""
    assert asyncio.run(sleeps_together()) == ["a", "b", "c"]
    assert ran[-1] == "True"


def test_outside_a_run_sleep_is_an_ordinary_sleep() -> None:
    """On a thread and on a loop."""
    perdure.sleep(0)
    perdure.sleep_until(datetime.now(UTC) - timedelta(hours=1))
    asyncio.run(asleep_outside())


async def asleep_outside() -> None:
    """On a loop."""
    await perdure.sleep(0)


def test_the_time_to_wake_is_recorded_once(url: str) -> None:
    """Temporal, DBOS (and its Rust port's tests): a restart does not begin the sleep anew."""
    with perdure.running(url, park_after_seconds=0.0) as first:
        handle = perdure.with_options(id="sleeper").start(sleeps, 3600)
        until(lambda: state_of(first, "sleeper") == "parked")
        assert first._runtime is not None
        due = first._runtime.store.runs.row(handle.run_id)
        assert due is not None
    with perdure.running(url, park_after_seconds=0.0) as second:
        assert second._runtime is not None
        again = second._runtime.store.runs.row("sleeper")
        assert again is not None
        assert again.due_at == due.due_at
        assert again.due_at is not None
        assert 3590 < again.due_at - time.time() < 3610
    assert ran == ["before"]


@workflow
async def oversleeps() -> list[str]:
    """Branches whose times come in another order than they were asked for."""
    woken = []

    async def branch(name: str, seconds: float) -> None:
        await perdure.sleep(seconds)
        woken.append(name)

    await asyncio.gather(branch("last", 0.3), branch("second", 0.2), branch("first", 0.1))
    return woken


@workflow
def sync_oversleeps() -> list[str]:
    """The same in threads."""
    woken = []

    def branch(name: str, seconds: float) -> None:
        perdure.sleep(seconds)
        woken.append(name)

    with perdure.threads() as pool:
        for name, seconds in [("last", 0.3), ("second", 0.2), ("first", 0.1)]:
            pool.submit(branch, name, seconds)
    return woken


@workflow
async def oversleeps_limits() -> list[str]:
    """A limit in a limit."""
    woken = []
    try:
        async with perdure.timeout(0.3):
            try:
                async with perdure.timeout(0.1):
                    await perdure.sleep(3600)
            except TimeoutError:
                woken.append("first")
                await perdure.sleep(3600)
    except TimeoutError:
        woken.append("last")
    return woken


@pytest.mark.parametrize("function", [oversleeps, sync_oversleeps, oversleeps_limits])
def test_what_became_due_meanwhile_comes_in_the_order_of_its_times(url: str, function: Any) -> None:
    """As it would have if the process had not been away."""
    began_at = time.time()
    with perdure.running(url, shutdown_seconds=0):
        perdure.with_options(id="sleeper").start(function)
        until(lambda: sum(step.kind == "sleep" for step in perdure.runs.get("sleeper").steps) == 3)
    until(lambda: time.time() > began_at + 1)
    with perdure.running(url):
        woken = perdure.handle("sleeper").result(30)
    assert woken in (["first", "second", "last"], ["first", "last"])


@workflow
def draws() -> list[Any]:
    """Everything that would differ at a replay."""
    seen = [perdure.now(), perdure.random(), perdure.uuid4(), perdure.now(), perdure.random(), perdure.uuid4()]
    ran.append(repr(seen))
    replay()
    return seen


def test_time_and_chance_replay() -> None:
    """Temporal's `workflow.now`, `random`, `uuid4`; Restate's `ctx.rand`."""
    seen = draws()
    assert ran == [repr(seen)] * 2
    assert seen[0] <= seen[3]
    assert seen[0].tzinfo is UTC
    assert 0 <= seen[1] < 1
    assert seen[1] != seen[4]
    assert seen[2] != seen[5]
    assert seen[2].version == 4


def test_outside_a_run_they_are_the_ordinary_ones() -> None:
    """So that a function can be used in both places."""
    assert perdure.uuid4() != perdure.uuid4()
    assert abs((perdure.now() - datetime.now(UTC)).total_seconds()) < 5


@workflow
async def asleeps_between(seconds: float) -> str:
    """The async twin of `sleeps`."""
    await perdure.sleep(seconds)
    return body("after")


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
@pytest.mark.parametrize("sleeper", [sleeps, asleeps_between])
def test_a_clock_that_jumps_does_not_stop_a_sleeping_run(
    app: perdure.Perdure, monkeypatch: pytest.MonkeyPatch, sleeper: Any, jump: float
) -> None:
    """Daylight saving, NTP, a suspended laptop: the time to wake was recorded before, and what the database has woken
    is due, whatever the clock of its holder says.
    """
    real = time.time
    handle = start(sleeper, 0.3)
    until(lambda: state_of(app, handle.run_id) == "parked")
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    assert handle.result(20) == "after"


def test_a_clock_ahead_of_the_databases_is_no_reason_to_ask_without_end(
    app: perdure.Perdure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DESIGN counts statements per idle second; what is due here and not yet there must not be asked for at once."""
    assert app._runtime is not None
    store, real, asked = app._runtime.store, time.time, []
    pulse = store.pulse
    monkeypatch.setattr(time, "time", lambda: real() + 60)
    monkeypatch.setattr(store, "pulse", lambda *given: asked.append(1) or pulse(*given))
    handle = start(sleeps, MOMENT_SECONDS)
    with pytest.raises(TimeoutError):
        handle.result(1.0)
    assert len(asked) < 30
    assert handle.cancel()
