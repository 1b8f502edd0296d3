"""Debounced runs at the surface: one run for a burst of submissions, with the arguments of the last."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import perdure
from perdure import Client, DuplicateRunError, Queue, UsageError, step, workflow
from tests.conformance.ledger import await_signal, ran, replay, signals

pytestmark = pytest.mark.usefixtures("app")

queue = Queue("debounced", concurrency=2)


@step
def index(version: int) -> str:
    """It leaves a line."""
    ran.append(f"version {version}")
    return f"indexed {version}"


@step
def hold(name: str) -> str:
    """It keeps its key."""
    await_signal(name)
    return name


def test_of_a_burst_one_run_begins_with_the_last_arguments(app: perdure.Perdure) -> None:
    """Whoever submits, from wherever; each has the handle of that one."""
    soon = queue.with_options(dedup="burst", debounce=3600)
    handles = [soon.submit(index, version) for version in range(5)]
    with Client(app._url) as client:
        its = client.with_options(queue=queue, dedup="burst", debounce=timedelta(hours=1))
        handles += [its.submit(index, 5), asyncio.run(soon.asubmit(index, 6))]
        last = client.with_options(queue=queue, dedup="burst", debounce=0.05).submit(index, 7)
        assert {handle.run_id for handle in handles} == {last.run_id}
        assert [handle.result(30) for handle in (*handles, last)] == ["indexed 7"] * 8
    assert ran == ["version 7"]


def test_it_begins_at_the_latest_so_long_after_the_first() -> None:
    """Whoever goes on asking."""
    soon = queue.with_options(dedup="longest", debounce=3600, debounce_longest=timedelta(milliseconds=50))
    assert soon.submit(index, 1).result(30) == "indexed 1"


def test_the_next_burst_is_another_run() -> None:
    """What has begun is not changed."""
    soon = queue.with_options(dedup="next", debounce=0)
    assert [soon.submit(index, version).result(30) for version in (1, 2)] == ["indexed 1", "indexed 2"]


def test_a_key_that_a_run_keeps_is_not_shared() -> None:
    """Nor is that of another function."""
    holder = queue.with_options(dedup="kept").submit(hold, "kept")
    soon = queue.with_options(dedup="kept", debounce=60)
    with pytest.raises(DuplicateRunError) as raised:
        soon.submit(index, 1)
    assert raised.value.run_id == holder.run_id
    signals["kept"].set()
    holder.result(30)
    waiting = soon.submit(index, 1)
    with pytest.raises(DuplicateRunError, match="has the key"):
        soon.submit(hold, "x")
    waiting.cancel()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"debounce": 1}, "dedup= says for what"),
        ({"debounce_longest": 1, "dedup": "k"}, "give that too"),
        ({"debounce": -1, "dedup": "k"}, "debounce=-1"),
        ({"debounce": 1, "dedup": "k", "id": "x"}, "id= cannot be given with debounce="),
        ({"debounce": 1, "dedup": "k", "delay": 1}, "delay= cannot"),
        ({"debounce": 1, "dedup": "k", "on_duplicate": "reject"}, "on_duplicate= cannot"),
        ({"debounce": 1, "dedup": "k", "connection": object()}, "connection= cannot"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], told: str) -> None:
    """Where it is given."""
    with pytest.raises(UsageError, match=told):
        queue.with_options(**options)


@workflow
def asks(name: str) -> list[str]:
    """Twice for one run, and waits for it; executed again it asks for nothing."""
    soon = queue.with_options(dedup=name, debounce=0.3)
    first, second = soon.submit(index, 1), soon.submit(index, 2)
    seen = [str(first.run_id == second.run_id), second.result()]
    replay()
    return seen


@workflow
async def aasks(name: str) -> list[str]:
    """The same of an async one."""
    soon = queue.with_options(dedup=name, debounce=0.3)
    first, second = await soon.asubmit(index, 1), soon.submit(index, 2)
    seen = [str(first.run_id == second.run_id), await second]
    await perdure.sleep(0.1)
    return seen


@pytest.mark.parametrize("is_async", [False, True])
def test_a_run_asks_for_it_once(is_async: bool) -> None:
    """It is nobody's child, so its end is waited for as that of any run. On a loaded machine the first may begin before
    the second asks: then there are two, and the run sees so at its replay too.
    """
    [is_one, value] = asyncio.run(aasks("in a run a")) if is_async else asks("in a run")
    assert value == "indexed 2"
    assert ran == (["version 2"] if is_one == "True" else ["version 1", "version 2"])
