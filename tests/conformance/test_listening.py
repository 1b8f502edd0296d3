"""What a listener is told, on both stores: each thing once, after its commit, and nothing that it does hurts."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

import perdure
from perdure import Listener, RunFacts, UsageError, step, workflow

PATIENCE_SECONDS = 60


class Noting(Listener):
    """Notes all that it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self._changed = threading.Condition()

    def _note(self, *what: Any) -> None:
        with self._changed:
            self.told.append(what)
            self._changed.notify_all()

    def wait_for(self, *what: Any) -> None:
        """Until it was told this."""
        with self._changed:
            assert self._changed.wait_for(lambda: what in self.told, PATIENCE_SECONDS), self.told

    def claimed(self, run: RunFacts) -> None:
        self._note("claimed", run.name)

    def begun(self, run: RunFacts) -> None:
        self._note("begun", run.name)

    def recorded(self, run: RunFacts, key: str, name: str, kind: str) -> None:
        self._note("recorded", run.name, key, kind)

    def parked(self, run: RunFacts, due_at: float | None, reason: str | None) -> None:
        self._note("parked", run.name)

    def ended(self, run: RunFacts, state: str) -> None:
        self._note("ended", run.name, state)

    def fenced(self) -> None:
        self._note("fenced")


@step(name="listened:add")
def add(number: int) -> int:
    """One step."""
    if number > 10:
        raise ValueError(number)
    return number + 1


@step(name="listened:aadd")
async def aadd(number: int) -> int:
    """The same, async."""
    return number + 1


@workflow(name="listened:twice")
def twice(number: int) -> int:
    """Two outcomes."""
    return add(add(number))


@workflow(name="listened:atwice")
async def atwice(number: int) -> int:
    """The same, async."""
    return await aadd(await aadd(number))


@workflow(name="listened:naps")
def naps() -> None:
    """Leaves memory at once."""
    perdure.sleep(0.3)


def test_a_run_is_told_from_its_beginning_to_its_end(url: str) -> None:
    """In this order, each once."""
    noting = Noting()
    with perdure.running(url, listeners=[noting]):
        assert twice(1) == 3
    name = "listened:twice"
    assert noting.told == [
        ("begun", name),
        ("recorded", name, "0", "step"),
        ("recorded", name, "1", "step"),
        ("ended", name, "succeeded"),
    ]


def test_an_async_run_tells_the_same(url: str) -> None:
    """On an event loop."""
    noting = Noting()

    async def main() -> int:
        async with perdure.running(url, listeners=[noting]):
            return await atwice(1)

    assert asyncio.run(main()) == 3
    name = "listened:atwice"
    assert noting.told == [
        ("begun", name),
        ("recorded", name, "0", "step"),
        ("recorded", name, "1", "step"),
        ("ended", name, "succeeded"),
    ]


def test_what_was_parked_and_claimed_and_has_failed_is_told(url: str) -> None:
    """A run that leaves memory and comes back by a claim; one whose step fails."""
    noting = Noting()
    with perdure.running(url, listeners=[noting], poll_seconds=0.02, park_after_seconds=0.0):
        assert perdure.start(naps).result(PATIENCE_SECONDS) is None
        handle = perdure.start(add, 11)
        with pytest.raises(ValueError, match="11"):
            handle.result(PATIENCE_SECONDS)
    of_nap = [told[0] for told in noting.told if told[1] == "listened:naps" and told[0] != "recorded"]
    assert of_nap[-5:] == ["begun", "parked", "claimed", "begun", "ended"]
    assert ("ended", "listened:add", "failed") in noting.told


def test_a_fenced_worker_tells_so(url: str) -> None:
    """It has lost its right to write."""
    noting = Noting()
    with perdure.running(url, listeners=[noting]) as app:
        runtime = app._launched()
        runtime.claims.lost_right(runtime.worker.worker_id)
        assert ("fenced",) in noting.told
        assert twice(1) == 3


def test_a_listener_that_fails_changes_nothing(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the others are told."""

    class Broken(Listener):
        def recorded(self, run: RunFacts, key: str, name: str, kind: str) -> None:
            raise KeyError("no such metric")

    noting = Noting()
    with caplog.at_level(logging.ERROR), perdure.running(url, listeners=[Broken(), noting]):
        assert twice(1) == 3
    assert [told[0] for told in noting.told] == ["begun", "recorded", "recorded", "ended"]
    assert any("listener" in record.message for record in caplog.records)


def test_what_is_no_listener_is_refused() -> None:
    """Where it is given: a class in the place of an instance, above all."""
    with pytest.raises(UsageError, match=r"listeners.*Noting\(\)"):
        perdure.Perdure("p.db", listeners=[Noting])  # type: ignore[list-item]  # that is the point
