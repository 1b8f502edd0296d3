"""An index's database that cannot be used for a while costs no document, and every answer says what to do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from examples.document_indexing.filings import first_filings
from examples.document_indexing.index import DocumentIndex, document_index
from examples.document_indexing.index import logger as index_log
from tests.example.pages import asked, pages_of, url_of

PATIENCE_SECONDS = 15
FILING = first_filings(1)[0]


@contextmanager
def outage(server_url: str, database_url: str) -> Iterator[None]:
    """The database ends its sessions and lets nobody in."""
    name = str(conninfo_to_dict(database_url)["dbname"])
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        server.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


@pytest.fixture
def has_been_said() -> Iterator[threading.Event]:
    """Set when the index writes to the log."""
    said = threading.Event()
    handler = logging.Handler()
    handler.emit = lambda record: said.set()  # type: ignore[method-assign]  # a handler of one line
    index_log.addHandler(handler)
    yield said
    index_log.removeHandler(handler)


@pytest.mark.parametrize("is_open", [False, True], ids=["not there", "gone"])
def test_a_document_waits_for_a_database_that_cannot_be_used(
    index: DocumentIndex, postgres: str, database_url: str, has_been_said: threading.Event, is_open: bool
) -> None:
    """Indexing says so in the log and goes on when the database is back, whether it was ever there or not."""
    if is_open:
        index.report()
    with ThreadPoolExecutor() as pool:
        with outage(postgres, database_url):
            indexing = pool.submit(index.replace, url_of(FILING), pages_of(FILING))
            assert has_been_said.wait(PATIENCE_SECONDS)
        assert indexing.result(PATIENCE_SECONDS) == 5
    assert index.report() == {"indexed": 1, "chunks": 5, "failed": {}}


def test_a_reason_waits_for_a_database_that_cannot_be_used(
    index: DocumentIndex, postgres: str, database_url: str, has_been_said: threading.Event
) -> None:
    """Why a document cannot be indexed is reported after the outage."""
    with ThreadPoolExecutor() as pool:
        with outage(postgres, database_url):
            saying = pool.submit(index.say_failed, "http://files.example/a.pdf", "answered 404")
            assert has_been_said.wait(PATIENCE_SECONDS)
        saying.result(PATIENCE_SECONDS)
    assert index.report()["failed"] == {"http://files.example/a.pdf": "answered 404"}


@pytest.mark.parametrize(("method", "path"), [("POST", "/chat"), ("GET", "/documents")])
def test_an_outage_is_answered_at_once_with_what_to_do(
    index: DocumentIndex, postgres: str, database_url: str, method: str, path: str
) -> None:
    """Who asks during an outage gets 503 instead of waiting."""
    index.report()
    with outage(postgres, database_url):
        reply = asked(method, path, {"message": "Anything?"})
    assert reply.status_code == 503
    assert "set DATABASE_URL" in reply.text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://127.0.0.1:1/x?user=me&password=hunter2",
        "postgresql://me:hunter2@127.0.0.1:none/x",
        "postgresql://me:torn@hunter2@127.0.0.1:1/x",
        "postgresql://me:torn/hunter2@127.0.0.1:1/x",
        "host=127.0.0.1 port=1 password=hunter2",
        "",
    ],
)
def test_no_password_is_shown_wherever_it_stands(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that cannot be read is an outage too: it says what to do, and documents wait for a better one."""
    monkeypatch.setenv("DATABASE_URL", url)
    document_index.cache_clear()
    reply = asked("GET", "/documents")
    document_index.cache_clear()
    assert reply.status_code == 503
    assert "set DATABASE_URL" in reply.text
    assert "hunter2" not in reply.text
