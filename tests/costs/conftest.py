"""A launched instance that counts, on every kind of database."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure._engine.journal import writer
from tests.costs import programs
from tests.costs.counting import Cost

try:
    from tests.stores.postgres_server import postgres_url  # noqa: F401  # a fixture: the URL of a fresh database
except ImportError:
    KINDS = ["sqlite"]
else:
    KINDS = ["sqlite", "postgres"]

Count = Callable[[Callable[[], Any]], Cost]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database."""
    return str(request.param)


@pytest.fixture
def url(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> str:
    """A database that nobody has used."""
    return str(request.getfixturevalue("postgres_url")) if kind == "postgres" else str(tmp_path / "perdure.db")


@pytest.fixture
def app(url: str) -> Iterator[perdure.Perdure]:
    """Launched, warm, with a poll that the tests never see, and for the queues of these programs alone: a queue whose
    limits hold for all workers is claimed for by itself, and other tests of this process may have declared some.
    """
    serve = [programs.queue, programs.narrow]
    with perdure.running(url, serve=serve, poll_seconds=3600.0, lease_seconds=3600.0) as running:
        programs.steps(1)
        perdure.start(programs.add, 1).result(60)
        asyncio.run(programs.asteps(1))
        settle(running._launched())
        yield running


def settle(runtime: Any) -> None:
    """Return when what was begun at launch is done: a round of the poll, and the claims that it called for."""
    is_over = next_round(runtime)
    runtime.poller.poke()
    assert is_over.wait(60)
    wait_for_rest(runtime)


def next_round(runtime: Any) -> threading.Event:
    """Set when the next round of the poll is over."""
    poller, is_over = runtime.poller, threading.Event()
    look = poller._look

    def look_and_tell() -> None:
        poller._look = look
        look()
        is_over.set()

    poller._look = look_and_tell
    return is_over


def wait_for_rest(runtime: Any) -> None:
    """Return when the claims are done that something has called for, and the journal's thread has done what it was
    called for: else it commits the first half of what comes next.
    """
    writer = runtime.journal._writer
    while any(slots.has_backlog or slots.is_asking for slots in runtime.room.slots.values()):
        time.sleep(0.001)
    while writer._is_called or not writer._is_resting:
        time.sleep(0.001)


@pytest.fixture
def count(app: perdure.Perdure) -> Count:
    """What an action costs."""

    def count_one(action: Callable[[], Any]) -> Cost:
        names: list[str] = []
        wait_for_rest(app._launched())  # what came before it has paid for itself
        store = app._launched().store
        store.on_statement = names.append  # type: ignore[attr-defined]  # the stores' own hook, not in the protocol
        action()
        store.on_statement = None  # type: ignore[attr-defined]
        return Cost.of(names)

    return count_one


@pytest.fixture(autouse=True)
def _no_laggards(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is slow enough, what nobody waits for is committed by itself; that is not counted here."""
    monkeypatch.setattr(writer, "LAGGARD_SECONDS", 3600.0)
