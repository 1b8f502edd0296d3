"""Indexing a document again replaces its chunks, whatever happens at the same time."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from sqlalchemy import event

from examples.document_indexing.filings import first_filings
from examples.document_indexing.index import DocumentIndex
from examples.document_indexing.processes import environment
from tests.example.pages import chunk_counts, pages_of, url_of

LOCKS = (
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
    "WHERE locktype = 'advisory' AND datname = current_database()"
)
TEXTS = "SELECT text FROM data_chunks_local ORDER BY id"
FILING = first_filings(1)[0]


def wait_for_a_blocked_writer(database_url: str) -> None:
    """Return when some session waits for a document's lock."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        while connection.execute(f"{LOCKS} AND NOT granted").fetchone() == (0,):
            pass


def test_indexing_twice_leaves_no_duplicates(index: DocumentIndex, database_url: str) -> None:
    """The second time replaces the first."""
    pages = pages_of(FILING)
    for _ in range(2):
        assert index.replace(url_of(FILING), pages) == 5
    assert chunk_counts(database_url) == (5, 5)
    assert index.report() == {"indexed": 1, "chunks": 5, "failed": {}}


def test_a_shorter_document_leaves_nothing_of_the_longer_one(index: DocumentIndex, database_url: str) -> None:
    """Chunks at positions that the new version does not have are gone."""
    pages = pages_of(FILING)
    index.replace(url_of(FILING), pages)
    index.replace(url_of(FILING), pages[:2])
    assert chunk_counts(database_url) == (2, 2)


def test_other_documents_are_left_alone(index: DocumentIndex, database_url: str) -> None:
    """A replacement touches the chunks of its own document only."""
    for filing in first_filings(3):
        index.replace(url_of(filing), pages_of(filing))
    index.replace(url_of(FILING), pages_of(FILING)[:1])
    assert chunk_counts(database_url) == (11, 11)


def test_a_transaction_that_is_committed_late_is_replaced(index: DocumentIndex, database_url: str) -> None:
    """A killed service's COMMIT may take effect after its successor has begun: the successor waits, then replaces."""
    late, go_on = DocumentIndex(database_url), threading.Event()
    late.replace(url_of(FILING), pages_of(FILING)[:1])
    event.listen(late._engine, "commit", lambda connection: go_on.wait(30))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(late.replace, url_of(FILING), pages_of(FILING)[:3])
        wait_for_lock_holder(database_url)
        second = pool.submit(index.replace, url_of(FILING), pages_of(FILING))
        wait_for_a_blocked_writer(database_url)
        go_on.set()
        assert (first.result(), second.result()) == (3, 5)
    assert chunk_counts(database_url) == (5, 5)
    late.close()


def wait_for_lock_holder(database_url: str) -> None:
    """Return when some session holds a document's lock."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        while connection.execute(LOCKS).fetchone() == (0,):
            pass


KILLED = """
import sys, threading
from sqlalchemy import event
from llama_index.core.schema import Document
from examples.document_indexing.index import DocumentIndex

index = DocumentIndex(sys.argv[1])
index.replace(sys.argv[2], [Document(text="before")])

def stall(connection):
    print("about to commit", flush=True)
    threading.Event().wait()

event.listen(index._engine, "commit", stall)
index.replace(sys.argv[2], [Document(text="never committed")])
"""


def test_a_service_killed_before_its_commit_leaves_the_old_chunks(index: DocumentIndex, database_url: str) -> None:
    """The document is never half there, and its lock goes with the killed process."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, database_url, url_of(FILING)],
        env=environment(),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"about to commit\n"
        process.send_signal(signal.SIGKILL)
    with psycopg.connect(database_url) as connection:
        assert connection.execute(TEXTS).fetchall() == [("before",)]
    index.replace(url_of(FILING), pages_of(FILING))
    assert chunk_counts(database_url) == (5, 5)


def test_many_at_once_leave_each_document_once(index: DocumentIndex, database_url: str) -> None:
    """Replacing the same documents from many threads never leaves a chunk twice."""
    filings = [(url_of(filing), pages_of(filing)) for filing in first_filings(2)] * 6
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda filing: index.replace(*filing), filings)) == 60
    assert chunk_counts(database_url) == (10, 10)
