"""`runs.pause_function` and its twins: of a whole function nothing begins until it is resumed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

import perdure
from tests.client.steered_programs import child, gated, gates, ran, three

PATIENCE = 60


@pytest.fixture
def app(store_url: str, client: perdure.Client) -> Iterator[perdure.Perdure]:
    """Somebody works."""
    ran.clear()
    gates.clear()
    with perdure.running(store_url, poll_seconds=0.05, shutdown_seconds=2.0) as launched:
        yield launched
    for gate in list(gates.values()):
        gate.set()


def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    looked = threading.Event()
    for _ in range(PATIENCE * 100):
        if condition():
            return
        looked.wait(0.01)
    raise AssertionError("it never came to be so")


@pytest.mark.usefixtures("app")
def test_runs_of_a_paused_function_wait(client: perdure.Client) -> None:
    """Those of others begin; what executes goes on; a resume lets them begin."""
    executed = perdure.start(gated)
    assert gates["gate began"].wait(PATIENCE)
    client.runs.pause_function(gated)
    client.runs.pause_function(three)
    client.runs.pause_function(three)
    assert [*client.runs.paused_functions()] == sorted([gated_name(), three_name()])
    waiting = client.submit(three)
    assert client.submit(child, "x").result(PATIENCE) == "X"
    gates["gate"].set()
    assert executed.result(PATIENCE) == ["GATE", "AFTER"]
    assert waiting.status() == "ready"
    assert "paused" in str(client.runs.explain(waiting.run_id))
    client.runs.resume_function(three_name())
    assert waiting.result(PATIENCE) == ["A", "B", "C"]
    client.runs.resume_function(gated)
    assert client.runs.paused_functions() == {}


def test_a_run_that_is_started_where_its_function_is_paused_waits(app: perdure.Perdure) -> None:
    """Also in a process that has room, once it has looked."""
    perdure.runs.pause_function(three)
    until(lambda: three_name() in app._launched().room._paused)
    handle = perdure.start(three)
    assert perdure.start(child, "x").result(PATIENCE) == "X"
    assert handle.status() == "ready"
    perdure.runs.resume_function(three)
    assert handle.result(PATIENCE) == ["A", "B", "C"]


@perdure.workflow
def pauses() -> None:
    """What a replay would do again."""
    perdure.runs.pause_function(three)


def test_it_is_done_on_event_loops_and_not_in_workflows(app: perdure.Perdure, client: perdure.Client) -> None:
    """By twins, which leave the loop to others."""

    async def work() -> None:
        await client.runs.apause_function("another:program")
        assert [*await client.runs.apaused_functions()] == ["another:program"]
        await client.runs.aresume_function("another:program")
        assert await client.runs.apaused_functions() == {}

    asyncio.run(work())
    assert isinstance(perdure.start(pauses).exception(PATIENCE), perdure.UsageError)
    with pytest.raises(perdure.UsageError):
        client.runs.pause_function("")
    with pytest.raises(perdure.UsageError, match="@workflow or @step"):
        client.runs.pause_function(print)


def three_name() -> str:
    """As the database has it."""
    return "tests.client.steered_programs:three"


def gated_name() -> str:
    """The same."""
    return "tests.client.steered_programs:gated"
