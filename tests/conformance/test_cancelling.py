"""Cancelling runs in every state that they can be in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import perdure
from perdure import Handle, Queue, Retry, start, step, with_options, workflow
from tests.conformance.ledger import MOMENT_SECONDS, PATIENCE_SECONDS, await_signal, ran, signals, state_of, until

pytestmark = pytest.mark.usefixtures("app")

narrow = Queue("conformance cancelling", worker_concurrency=1)


@step
def body(name: str) -> str:
    """It leaves a line."""
    ran.append(name)
    return name


@step
def blocked(name: str) -> str:
    """It waits for the test."""
    ran.append(name)
    signals[f"{name} began"].set()
    await_signal(name)
    return name


@workflow
def two_steps(name: str) -> str:
    """A step that waits, one after it."""
    blocked(name)
    return body("after")


@workflow
def sleeps(name: str) -> str:
    """It leaves memory for long."""
    body(name)
    perdure.sleep(3600)
    return body("after")


@workflow
async def awaits(name: str) -> str:
    """It waits for what never comes, and then would go on."""
    await never(name)
    return body("after")


@step
async def never(name: str) -> None:
    """It leaves a line when it is cancelled."""
    signals[f"{name} began"].set()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        ran.append("cancelled body")


def is_cancelled(handle: Handle[str]) -> bool:
    """Whether it says so in every way."""
    with pytest.raises(perdure.RunCancelledError) as caught:
        handle.result(20)
    return caught.value.run_id == handle.run_id and handle.cancelled() and handle.done()


def test_a_queued_run_never_begins() -> None:
    """DBOS, Celery's revoke, Hatchet."""
    first = narrow.submit(two_steps, "holder")
    await_signal("holder began")
    second = narrow.submit(two_steps, "queued")
    assert second.cancel()
    assert is_cancelled(second)
    signals["holder"].set()
    assert first.result() == "after"
    assert ran == ["holder", "after"]


def test_a_parked_run_ends_at_once(app: perdure.Perdure) -> None:
    """Temporal, DBOS: without its code, wherever it sleeps. Hatchet (#4642) went on after the sleep."""
    handle = start(sleeps, "parked")
    until(lambda: state_of(app, handle.run_id) == "parked")
    assert handle.cancel()
    assert is_cancelled(handle)
    assert ran == ["parked"]


def test_a_sync_run_ends_at_its_next_durable_call() -> None:
    """DBOS: the body that runs is not interrupted, the next step does not begin."""
    handle = start(two_steps, "running")
    await_signal("running began")
    assert handle.cancel()
    signals["running"].set()
    assert is_cancelled(handle)
    assert ran == ["running"]


def test_an_async_run_is_interrupted_where_it_waits() -> None:
    """Temporal sends the activity a cancellation; the body may clean up."""
    handle = start(awaits, "awaiting")
    await_signal("awaiting began")
    assert handle.cancel()
    assert is_cancelled(handle)
    assert ran == ["cancelled body"]


def test_an_ended_run_cannot_be_cancelled() -> None:
    """All systems: False, and the outcome stays."""
    handle = start(body, "ended")
    assert handle.result() == "ended"
    assert not handle.cancel()
    assert not handle.cancelled()
    assert handle.result() == "ended"


def test_a_second_cancel_changes_nothing(app: perdure.Perdure) -> None:
    """Temporal (sdk-python#1813): two cancels in one moment broke the run."""
    handle = start(sleeps, "twice")
    until(lambda: state_of(app, handle.run_id) == "parked")
    handle.cancel()
    handle.cancel()
    assert is_cancelled(handle)
    assert not handle.cancel()


@workflow
async def swallows(name: str) -> str:
    """It catches the cancellation and goes on."""
    try:
        await never(name)
    except asyncio.CancelledError:
        ran.append("swallowed")
    try:
        body("after")
    except BaseException:
        ran.append("refused")
    return "survived"


def test_a_cancellation_cannot_be_swallowed() -> None:
    """Temporal (sdk-python#620): who swallowed it ended as completed. An acknowledged cancel is never a success."""
    handle = start(swallows, "swallowing")
    await_signal("swallowing began")
    assert handle.cancel()
    assert is_cancelled(handle)
    assert "after" not in ran


@workflow
def swallows_sync(name: str) -> str:
    """The same without a loop."""
    try:
        blocked(name)
        body("after")
    except BaseException:
        ran.append("swallowed")
    return "survived"


def test_a_sync_run_cannot_swallow_it_either() -> None:
    """It may return; what it returns is not recorded."""
    handle = start(swallows_sync, "stubborn")
    await_signal("stubborn began")
    assert handle.cancel()
    signals["stubborn"].set()
    assert is_cancelled(handle)
    assert "after" not in ran


@step(retries=Retry(attempts=2, initial_seconds=3600, jitter=False))
def fails() -> None:
    """Its second attempt is an hour away."""
    signals["failed"].set()
    raise OSError


@workflow
def retries() -> None:
    """It waits between attempts."""
    fails()


@step(retries=Retry(attempts=2, initial_seconds=3600, jitter=False))
async def afails() -> None:
    """The async twin."""
    signals["failed"].set()
    raise OSError


@workflow
async def aretries() -> None:
    """The same."""
    await afails()


@pytest.mark.parametrize("function", [retries, aretries, fails, afails], ids=lambda function: function.__name__)
def test_a_run_between_two_attempts_is_cancelled_at_once(function: object) -> None:
    """Hatchet and DBOS: a back-off is no reason to wait; also of a step that is a run by itself."""
    handle = start(function, *())  # type: ignore[arg-type]
    await_signal("failed")
    assert handle.cancel()
    assert is_cancelled(handle)


@workflow
def mother(name: str) -> str:
    """Children in every state."""
    with_options(id=f"{name} sleeping").start(sleeps, "sleeping child")
    with_options(id=f"{name} delayed", delay=3600).start(sleeps, "delayed child")
    grandmother = with_options(id=f"{name} below").start(daughter, name)
    return grandmother.result()


@workflow
def daughter(name: str) -> str:
    """One more level."""
    return with_options(id=f"{name} leaf").start(sleeps, "leaf").result()


def test_a_cancel_goes_down_to_all_descendants(app: perdure.Perdure) -> None:
    """Temporal (sdk-python#1280), Hatchet: children must not run on when nobody wants them."""
    handle = with_options(id="mother").start(mother, "mother")
    below = [f"mother {name}" for name in ("sleeping", "delayed", "below", "leaf")]
    until(lambda: state_of(app, "mother leaf") == "parked" and state_of(app, "mother sleeping") == "parked")
    assert handle.cancel()
    assert is_cancelled(handle)
    for run_id in below:
        assert is_cancelled(perdure.handle(run_id))
    assert "after" not in ran


@workflow
def cancels_its_child() -> list[str]:
    """A run that cancels another."""
    handle = start(sleeps, "unwanted")
    handle.cancel()
    try:
        handle.result()
    except perdure.RunCancelledError:
        return [body("went on")]
    return []


def test_a_run_may_cancel_its_child_and_go_on() -> None:
    """Temporal (sdk-python#700): and wait until that has happened."""
    assert cancels_its_child() == ["went on"]


@workflow
def cancels_itself(run_id: str) -> str:
    """By its own id."""
    perdure.handle(run_id).cancel()
    return body("after")


def test_a_run_may_cancel_itself() -> None:
    """Hatchet's `ctx.cancel()`."""
    handle = with_options(id="suicidal").start(cancels_itself, "suicidal")
    assert is_cancelled(handle)


def test_a_cancelled_queue_run_gives_its_slot_back() -> None:
    """Duroxide's note of workers starved by cancelled work."""
    first = narrow.submit(awaits, "slot")
    await_signal("slot began")
    second = narrow.submit(body, "next")
    assert first.cancel()
    assert second.result(20) == "next"


def test_it_can_be_cancelled_from_a_loop() -> None:
    """`acancel` does not stop the loop meanwhile."""

    async def go() -> bool:
        handle = await perdure.astart(sleeps, "async cancel")
        cancelled = await handle.acancel()
        with pytest.raises(perdure.RunCancelledError):
            await handle
        return cancelled

    assert asyncio.run(go())


@workflow
async def acancels_its_child() -> bool:
    """A run on a loop that changes its mind while the database is busy."""
    signals["begun"].set()
    await_signal("database is busy")
    task = asyncio.create_task(start(sleeps, "never wanted").acancel())
    await asyncio.wait([task], timeout=5 * MOMENT_SECONDS)
    signals["asked"].set()
    return await task


def test_a_child_that_was_started_a_moment_ago_can_be_cancelled_from_a_loop(app: perdure.Perdure) -> None:
    """Its creation may not be committed yet, but it is not unknown."""
    assert app._runtime is not None
    handle = start(acancels_its_child)
    await_signal("begun")
    with app._runtime.journal.turn():
        signals["database is busy"].set()
        await_signal("asked")
    assert handle.result(20) is True


first_answers: list[bool] = []


@workflow
async def asks_twice(run_id: str, *, blocks: bool) -> bool:
    """Cancel another run, and be executed again from there on."""
    handle = perdure.handle(run_id)
    answer = handle.cancel() if blocks else await handle.acancel()
    first_answers.append(answer)
    await perdure.sleep(0.3)
    return answer


@workflow
def asks_twice_in_a_thread(run_id: str) -> bool:
    """The same."""
    answer = perdure.handle(run_id).cancel()
    first_answers.append(answer)
    perdure.sleep(0.3)
    return answer


@pytest.mark.parametrize("way", ["await", "on the loop", "sync"])
def test_the_answer_to_a_cancel_in_a_run_is_recorded(
    app: perdure.Perdure, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Asked a second time, when the run is replayed, it would be another one."""
    first_answers.clear()
    runtime = app._launched()
    monkeypatch.setattr(runtime, "options", replace(runtime.options, park_after_seconds=0.0))
    victim = with_options(delay=3600.0).start(body, "never")
    if way == "sync":
        handle: perdure.Handle[bool] = start(asks_twice_in_a_thread, victim.run_id)
    else:
        handle = start(asks_twice, victim.run_id, blocks=way == "on the loop")

    assert handle.result(60)
    assert first_answers == [True, True]


@step
async def ablocked(name: str) -> str:
    """It waits for the test, and can be cancelled."""
    signals[f"{name} began"].set()
    while not signals[name].is_set():  # noqa: ASYNC110  # the test's signals are of threads
        await asyncio.sleep(MOMENT_SECONDS)
    return name


@workflow
async def atwo_steps(name: str) -> str:
    """The same as `two_steps`."""
    await ablocked(name)
    return body("after")


@pytest.mark.parametrize("flow", [two_steps, atwo_steps], ids=["sync", "async"])
def test_who_is_told_of_a_cancel_of_the_life_before_goes_on(app: perdure.Perdure, flow: Callable[[str], Any]) -> None:
    """It was read before the run began anew, and told after that. Nobody has cancelled this life; it counts nothing."""
    handle = start(flow, "late")
    await_signal("late began")
    app._launched().told.cancelled([handle.run_id])
    signals["late"].set()
    assert handle.result(PATIENCE_SECONDS) == "after"
    assert perdure.runs.get(handle.run_id).run.attempts == 1
