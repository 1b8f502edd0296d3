"""`finish_updates`: what a workflow has accepted is done before it gives what that changed to its next life."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

import perdure
from perdure import UsageError, continue_as_new, finish_updates, on_update, recv, send, start, step, threads, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, ran, state_of, until

pytestmark = pytest.mark.usefixtures("app")


@step
async def atake(amount: int) -> int:
    """An effect that takes its time."""
    await asyncio.sleep(0.02)
    ran.append(str(amount))
    return amount


@step
def take(amount: int) -> int:
    """The same, sync."""
    time.sleep(0.005)
    ran.append(str(amount))
    return amount


def has_taken(amounts: int) -> bool:
    """At least so many."""
    return len(ran) >= amounts


@workflow
async def asums(total: int) -> int:
    """Adds what it is told to, and goes on as a new run after each message."""

    async def add(amount: int) -> None:
        nonlocal total
        taken = await atake(amount)
        total += taken

    on_update("add", add)
    is_last = await recv("next") == "end"
    await finish_updates()
    return total if is_last else continue_as_new(total)


@workflow
def sums(total: int) -> int:
    """The same, sync."""

    def add(amount: int) -> None:
        nonlocal total
        total += take(amount)

    on_update("add", add)
    is_last = recv("next") == "end"
    finish_updates()
    return total if is_last else continue_as_new(total)


@pytest.mark.parametrize("fn", [asums, sums])
def test_every_round_is_given_what_its_updates_have_changed(fn: Any) -> None:
    """Forty updates of eight threads, some of which are under way when a round ends: each counts once."""
    handle = start(fn, 0)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(handle.update, "add", amount, key=f"{amount}") for amount in range(40)]
        for number in range(1, 9):
            until(partial(has_taken, 4 * number))
            send(handle, "on", topic="next")
        for one in asked:
            one.result(PATIENCE_SECONDS)
    send(handle, "end", topic="next")
    assert handle.result(PATIENCE_SECONDS) == sum(range(40))
    assert sorted(map(int, ran)) == list(range(40))


@workflow
async def awaits_release() -> list[str]:
    """Its update waits for a message, and the workflow for its update."""
    done: list[str] = []

    async def hold() -> None:
        await atake(1)
        done.append(await recv("release"))

    on_update("hold", hold)
    await recv("held")
    await finish_updates()
    done.append("finished")
    return done


@workflow
def awaits_release_in_a_thread() -> list[str]:
    """The same, sync."""
    done: list[str] = []

    def hold() -> None:
        take(1)
        done.append(recv("release"))

    on_update("hold", hold)
    recv("held")
    finish_updates()
    done.append("finished")
    return done


@pytest.mark.parametrize("fn", [awaits_release, awaits_release_in_a_thread])
def test_a_run_that_waits_for_its_updates_may_be_parked(app: perdure.Perdure, fn: Any) -> None:
    """And a replay finds the same order."""
    handle = start(fn)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(handle.update, "hold")
        until(lambda: ran)
        send(handle, "on", topic="held")
        until(lambda: state_of(app, handle.run_id) == "parked")
        send(handle, "released", topic="release")
        asked.result(PATIENCE_SECONDS)
    assert handle.result(PATIENCE_SECONDS) == ["released", "finished"]


@workflow
async def without() -> str:
    """Nothing to wait for."""
    await finish_updates()
    return "ended"


@workflow
def without_in_a_thread() -> str:
    """The same, sync."""
    finish_updates()
    return "ended"


@workflow
async def in_its_own_update() -> str:
    """An update that would wait for itself."""
    on_update("wait", lambda: finish_updates())
    return str(await recv("end"))


@workflow
def in_a_branch() -> None:
    """A branch that is not the workflow's own code."""
    with threads() as pool:
        pool.submit(finish_updates).result()


def test_there_may_be_none() -> None:
    """It waits for nothing, then."""
    assert asyncio.run(without()) == without_in_a_thread() == "ended"


def test_it_is_for_a_workflow_s_own_code() -> None:
    """Elsewhere it would wait for itself, or for nothing that is known."""
    with pytest.raises(UsageError, match="is for the code of workflows"):
        finish_updates()
    handle = start(in_its_own_update)
    with pytest.raises(UsageError, match="could wait for itself"):
        handle.update("wait")
    send(handle, "ended", topic="end")
    assert handle.result(PATIENCE_SECONDS) == "ended"
    with pytest.raises(UsageError, match="in a branch of run"):
        in_a_branch()
