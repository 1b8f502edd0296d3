"""The fixtures of the conformance suite: instances that are launched once for a module, on each kind of database."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import perdure
from tests.conformance.ledger import PATIENCE_SECONDS, ran, signals
from tests.stores.conftest import KINDS

SETTINGS = {"park_after_seconds": 0.0, "poll_seconds": 0.2, "replay_patience_seconds": 3.0, "shutdown_seconds": 5.0}
"""Every durable sleep leaves memory at once, so that what comes before it is replayed."""


@contextmanager
def database(request: pytest.FixtureRequest, factory: pytest.TempPathFactory, kind: str) -> Iterator[str]:
    """The URL of a database that nobody has used."""
    if kind == "postgres":
        from tests.stores.postgres_server import server_of

        with server_of(request.config).lent() as url:
            yield url
    else:
        yield str(factory.mktemp("conformance") / "perdure.db")


@pytest.fixture(scope="module", params=KINDS)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[perdure.Perdure]:
    """An instance on each kind of database, launched for the module's tests."""
    with database(request, tmp_path_factory, request.param) as url, perdure.running(url, **SETTINGS) as launched:
        yield launched


@pytest.fixture(scope="module")
def sqlite_app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[perdure.Perdure]:
    """The same for rules in which the database has no part."""
    with database(request, tmp_path_factory, "sqlite") as url, perdure.running(url, **SETTINGS) as launched:
        yield launched


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database for one test, which launches and shuts down by itself."""
    with database(request, tmp_path_factory, request.param) as found:
        yield found


@pytest.fixture(autouse=True)
def fresh_ledger() -> None:
    """Nothing of an earlier test is left to see."""
    ran.clear()
    signals.clear()


@pytest.fixture
def next_complaint() -> Iterator[Callable[[], str]]:
    """The next error that Perdure logs: the signal that a run was parked for people."""
    complaints: queue.SimpleQueue[str] = queue.SimpleQueue()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complaints.put(record.getMessage())

    listener = Listener(logging.ERROR)
    logging.getLogger("perdure").addHandler(listener)
    yield lambda: complaints.get(timeout=PATIENCE_SECONDS)
    logging.getLogger("perdure").removeHandler(listener)
