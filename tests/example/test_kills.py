"""The durable service is killed and started again; a ledger outside counts the bodies."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from examples.document_indexing.database import new_database
from examples.document_indexing.filings import first_filings
from examples.document_indexing.service import Chunks, FileServer, Service

ENDED = "state IN ('succeeded', 'failed', 'cancelled', 'dead')"
WATCH_SECONDS = 60


class Rows:
    """Perdure's own rows, read with plain SQL while no service runs or beside it."""

    def __init__(self, sqlite_file: Path, postgres_url: str | None) -> None:
        self._file, self._url = sqlite_file, postgres_url

    def count(self, condition: str) -> int:
        """How many runs meet the condition."""
        if self._url is not None:
            with psycopg.connect(self._url) as connection:
                row = connection.execute(f"SELECT count(*) FROM perdure.run_view WHERE {condition}").fetchone()  # noqa: S608
        else:
            with closing(sqlite3.connect(self._file)) as database:
                row = database.execute(f"SELECT count(*) FROM run_view WHERE {condition}").fetchone()  # noqa: S608
        assert row is not None
        return int(row[0])


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileServer]:
    """The file server as a process of its own."""
    with closing(FileServer(tmp_path / "filings")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def durable(
    request: pytest.FixtureRequest, postgres: str, database_url: str, tmp_path: Path
) -> Iterator[tuple[Service, Rows]]:
    """The durable service on either store, not yet started, and its rows."""
    url = new_database(postgres, f"runs_{tmp_path.name}") if request.param == "postgres" else None
    settings = {} if url is None else {"PERDURE_URL": url}
    with closing(Service("durable", database_url, tmp_path, **settings)) as service:
        yield service, Rows(tmp_path / "perdure.db", url)


def missing(files: FileServer) -> str:
    """A URL that answers 404."""
    return f"{files.url}/missing.pdf"


def no_pdf(files: FileServer) -> str:
    """A URL that answers with JSON."""
    return f"{files.url}/ledger"


def kill_again_and_again(
    service: Service, rows: Rows, files: FileServer, documents: int, delays: list[float]
) -> tuple[int, int]:
    """Index, killed so long after each start; returns bodies run twice and bodies that were in flight at the kills.

    Two URLs are bad, and the file server does not count them: one is not there, the other is no PDF.
    """
    urls = [f"{files.url}/{filing.path}" for filing in first_filings(documents)]
    service.start()
    assert service.post([missing(files), *urls, no_pdf(files)]) == 204
    in_flight = 0
    for delay in delays:
        threading.Event().wait(delay)
        service.kill()
        begun = files.downloads()
        in_flight += len(begun) - rows.count("kind = 'step' AND state = 'succeeded'")
        service.start()
    watched = threading.Event()
    for _ in range(WATCH_SECONDS * 10):
        service.check_alive()
        if rows.count(f"NOT ({ENDED})") == 0:
            break
        watched.wait(0.1)
    assert rows.count(f"NOT ({ENDED})") == 0
    assert rows.count("state = 'succeeded'") == documents + 1
    assert rows.count("state = 'failed'") == 2
    return sum(count - 1 for count in files.downloads().values()), in_flight


def check(service: Service, files: FileServer, documents: int) -> None:
    """Every sound document is indexed once, the bad ones are reported with what to do, and questions are answered."""
    assert service.chunks() == Chunks(all=5 * documents, distinct=5 * documents, documents=documents)
    report = service.report()
    assert (report["indexed"], len(report["failed"])) == (documents, 2)
    assert report["failed"][missing(files)] == f"{missing(files)} answered 404: check the URL, then post it again"
    assert "is no PDF" in report["failed"][no_pdf(files)]
    assert "post the URL of the PDF file itself" in report["failed"][no_pdf(files)]
    assert "5.67" in service.chat("What was Apple's earnings per share in 2021?")


def test_a_killed_service_loses_and_doubles_nothing(durable: tuple[Service, Rows], files: FileServer) -> None:
    """One kill: every document is indexed once, and only bodies that were in flight ran twice."""
    service, rows = durable
    twice, in_flight = kill_again_and_again(service, rows, files, 30, [0.5])
    assert twice <= in_flight
    check(service, files, 30)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(5))
def test_many_kills_lose_and_double_nothing(durable: tuple[Service, Rows], files: FileServer, seed: int) -> None:
    """Twenty kills at random moments, many of them while the service is recovering from the one before."""
    chance = random.Random(seed)  # noqa: S311 - moments to kill at, not secrets
    service, rows = durable
    twice, in_flight = kill_again_and_again(service, rows, files, 200, [chance.uniform(0, 0.8) for _ in range(20)])
    assert twice <= in_flight
    check(service, files, 200)
