"""Time limits of waits: `perdure.timeout` and `timeout=`. That they were reached is recorded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import perdure
from perdure import Perdure, Queue, Retry, WaitTimeoutError, on_update, recv, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, await_signal, ran, replay, signals, state_of, until

pytestmark = pytest.mark.usefixtures("app")

wide = Queue("time limits", worker_concurrency=8)


@step
def held(name: str) -> str:
    """It ends when the test says so."""
    await_signal(name)
    return name


@step
def tell(name: str) -> None:
    """The run has come so far."""
    signals[name].set()


@workflow
def times_out() -> list[Any]:
    """In every way; nothing of it is later than it was, though what it waited for has ended."""
    handle = wide.submit(held, "slow")
    seen: list[Any] = []
    for wait in (
        lambda: handle.result(timeout=0.05),
        lambda: perdure.first(handle, timeout=0.05),
        lambda: list(perdure.as_completed([handle], timeout=0.05)),
    ):
        try:
            seen.append(wait())
        except WaitTimeoutError:
            seen.append("late")
    try:
        with perdure.timeout(0.05):
            perdure.sleep(3600)
    except WaitTimeoutError:
        seen.append("late")
    try:
        with perdure.timeout(0.05) as limit:
            seen.append(perdure.wait([handle]))
    except WaitTimeoutError:
        seen.append(limit.expired())
    seen.append([len(part) for part in perdure.wait([handle], timeout=0.05)])
    tell("timed out")
    replay()
    with perdure.timeout(60):
        seen.append(handle.result())
    with perdure.timeout(60):
        replay()
    return seen


@workflow
async def atimes_out() -> list[Any]:
    """The same."""
    handle = await wide.asubmit(held, "slow")
    seen: list[Any] = []
    try:
        seen.append(await perdure.first(handle, timeout=0.05))
    except WaitTimeoutError:
        seen.append("late")
    try:
        seen.append([one async for one in perdure.as_completed([handle], timeout=0.05)])
    except WaitTimeoutError:
        seen.append("late")
    for waited_for in (handle.wait, lambda: perdure.sleep(3600)):
        try:
            async with perdure.timeout(0.05):
                seen.append(await waited_for())
        except WaitTimeoutError:
            seen.append("late")
    try:
        async with perdure.timeout(0.05) as limit:
            seen.append(await perdure.wait([handle]))
    except WaitTimeoutError:
        seen.append(limit.expired())
    seen.append([len(part) for part in await perdure.wait([handle], timeout=0.05)])
    tell("timed out")
    await areplay()
    async with perdure.timeout(60):
        seen.append(await handle)
    async with perdure.timeout(60):
        await areplay()
    return seen


@pytest.mark.parametrize("function", [times_out, atimes_out], ids=lambda function: function.__name__)
def test_a_timeout_is_the_same_on_replay(function: Any) -> None:
    """Also when what was waited for has ended long since."""
    handle = perdure.start(function)
    assert signals["timed out"].wait(PATIENCE_SECONDS)
    signals["slow"].set()
    assert handle.result(PATIENCE_SECONDS) == ["late", "late", "late", "late", True, [0, 1], "slow"]


@workflow
def waits_long(what: str) -> str:
    """Until a time limit that begins when the run does."""
    handle = wide.submit(held, "never")
    try:
        if what == "result":
            return str(handle.result(timeout=0.4))
        with perdure.timeout(0.4):
            return str(perdure.first(handle))
    except WaitTimeoutError:
        return "late"


@workflow
async def awaits_long(what: str) -> str:
    """The same."""
    handle = await wide.asubmit(held, "never")
    try:
        async with perdure.timeout(0.4):
            return str(await handle)
    except WaitTimeoutError:
        return "late"


@pytest.mark.parametrize(
    ("function", "what"),
    [(waits_long, "result"), (waits_long, "block"), (awaits_long, "")],
    ids=["result", "block", "async block"],
)
def test_a_parked_run_wakes_at_its_time_limit(app: Perdure, function: Any, what: str) -> None:
    """The limit is kept in its row."""
    handle = perdure.start(function, what)
    until(lambda: state_of(app, handle.run_id) == "parked")
    assert handle.result(PATIENCE_SECONDS) == "late"
    signals["never"].set()


@workflow
def outer_limit_in_wait() -> list[str]:
    """`wait` swallows its own timeout, not that of a block around it."""
    handle = wide.submit(held, "never")
    seen = []
    try:
        with perdure.timeout(0.1):
            seen.append(str(len(perdure.wait([handle], timeout=0.01).pending)))
            perdure.wait([handle], timeout=3600)
            seen.append("went on")
    except WaitTimeoutError:
        seen.append("outer")
    try:
        with perdure.timeout(3600), perdure.timeout(0.01):
            handle.exception()
    except WaitTimeoutError:
        seen.append("inner")
    perdure.sleep(0.01)
    replay()
    return seen


def test_limits_nest() -> None:
    """The one that is reached first ends the wait, and only its own block."""
    assert perdure.start(outer_limit_in_wait).result(PATIENCE_SECONDS) == ["1", "outer", "inner"]
    signals["never"].set()


@workflow
def swallowed() -> list[str]:
    """The block catches what ended its wait, and waits again."""
    seen = []
    with perdure.timeout(0.05):
        for _ in range(2):
            try:
                perdure.sleep(3600)
            except WaitTimeoutError:
                seen.append("late")
    replay()
    return seen


def test_a_limit_that_was_reached_ends_every_further_wait_of_its_block() -> None:
    """At once."""
    assert perdure.start(swallowed).result(PATIENCE_SECONDS) == ["late", "late"]


@workflow
async def cancelled_within() -> str:
    """Somebody else cancels the block's task, before its limit."""

    async def block() -> None:
        async with perdure.timeout(3600):
            await perdure.sleep(3600)

    inner = asyncio.create_task(block())
    await asyncio.sleep(0)
    inner.cancel()
    try:
        await inner
    except asyncio.CancelledError:
        await areplay()
        return "cancelled"
    return "not"


def test_a_cancel_of_somebody_else_is_no_timeout() -> None:
    """As of `asyncio.timeout`."""
    assert perdure.start(cancelled_within).result(PATIENCE_SECONDS) == "cancelled"


@step(retries=Retry(attempts=5, initial_seconds=3600, max_seconds=3600, jitter=False))
def refused(name: str) -> None:
    """The next attempt is an hour away."""
    ran.append(name)
    raise LookupError(name)


@workflow
def pauses() -> list[Any]:
    """Twice in one block: the second call is made when its limit is over."""
    seen: list[Any] = []
    with perdure.timeout(0.05) as limit:
        for name in ("one", "two"):
            try:
                refused(name)
            except WaitTimeoutError as error:
                seen += [limit.expired(), type(error.__cause__).__name__]
    replay()
    return seen


def test_a_limit_ends_the_pause_between_attempts_of_a_step() -> None:
    """The step's outcome is that it was too late, and says why it had failed."""
    ran.clear()
    assert perdure.start(pauses).result(PATIENCE_SECONDS) == [True, "LookupError"] * 2
    assert ran == ["one", "two"]


@workflow
def pauses_parked() -> str:
    """Its run leaves memory between two attempts."""
    try:
        with perdure.timeout(0.4):
            refused("parked")
    except WaitTimeoutError:
        replay()
        return "late"
    return "in time"


def test_a_run_that_is_parked_between_attempts_wakes_at_its_time_limit(app: Perdure) -> None:
    """The pause that another life has begun ends as well."""
    handle = perdure.start(pauses_parked)
    until(lambda: state_of(app, handle.run_id) == "parked")
    assert handle.result(PATIENCE_SECONDS) == "late"


@workflow
def never_updates() -> None:
    """It has the update, which waits for a signal."""
    on_update("held", lambda: held("updating"))
    recv("end")


@workflow
def updates(run_id: str) -> list[Any]:
    """Of another run; the time of the block is over first, then that of the call."""
    seen: list[Any] = []
    for seconds, own in ((0.05, None), (3600, 0.05)):
        try:
            with perdure.timeout(seconds) as limit:
                perdure.handle(run_id).update("held", timeout=own)
        except WaitTimeoutError:
            seen.append(limit.expired())
    replay()
    return seen


def test_a_limit_ends_the_wait_for_an_update_of_another_run() -> None:
    """The update goes on."""
    other = perdure.start(never_updates)
    assert perdure.start(updates, other.run_id).result(PATIENCE_SECONDS) == [True, False]
    signals["updating"].set()
    perdure.send(other, None, topic="end")
    other.result(PATIENCE_SECONDS)
