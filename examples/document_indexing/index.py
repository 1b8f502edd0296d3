"""The index of the documents, in Postgres with pgvector: replace a document, ask a question, report what is there.

Replacing is one transaction under a lock of the document's own, so it stays right when two run at once, or when the
last transaction of a killed service is committed late: whoever comes second replaces what the first one wrote.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain, repeat
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from llama_index.core import VectorStoreIndex
from llama_index.core.schema import BaseNode, Document
from llama_index.vector_stores.postgres import PGVectorStore
from pydantic import HttpUrl
from sqlalchemy import Engine, create_engine, delete, func, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from examples.document_indexing.chunks import chunks_of
from examples.document_indexing.models import DIMENSIONS, PROMPT, models

# A reader that LlamaIndex imports along with the PDF reader turns on everybody's INFO lines: one per download.
logging.getLogger("httpx").setLevel(logging.WARNING)

logger = logging.getLogger(__name__)
DEFAULT_DATABASE = "postgresql://postgres@localhost:5432/postgres"
FIRST_PAUSES_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Between two tries to write while the database cannot be used; after these always the longest."""
LONGEST_PAUSE_SECONDS = 10.0

_TABLE_OF_DOCUMENTS = """
CREATE TABLE IF NOT EXISTS documents (
    url text PRIMARY KEY, chunks int NOT NULL, failure text, changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
)"""
_SAY_INDEXED = """
INSERT INTO documents (url, chunks) VALUES (:url, :chunks)
ON CONFLICT (url) DO UPDATE SET chunks = excluded.chunks, failure = NULL, changed_at = clock_timestamp()"""
_SAY_FAILED = """
INSERT INTO documents (url, chunks, failure) VALUES (:url, 0, :failure)
ON CONFLICT (url) DO UPDATE SET failure = excluded.failure, changed_at = clock_timestamp()"""

_FORGET = "DELETE FROM documents WHERE url = :url"


class DocumentError(Exception):
    """This document cannot be indexed; the message says why and what to do."""


class IndexUnavailableError(Exception):
    """The index's database cannot be used; the message says what to do, and never names the password."""


class DocumentStore(PGVectorStore):
    """A PGVectorStore in which adding a document's nodes replaces those that the document had.

    The class it derives from commits each `add` and each `delete` by itself: between the two a reader would find no
    document, and two writers could both delete first and insert afterwards.
    """

    def add(self, nodes: Sequence[BaseNode], **add_kwargs: Any) -> list[str]:
        """Replace the chunks of the nodes' documents, in one transaction; returns the nodes' ids."""
        table = self._table_class
        documents = sorted({node.ref_doc_id for node in nodes if node.ref_doc_id})
        with Session(self._engine) as session, session.begin():
            for url in documents:
                # A statement of its own: the DELETE's snapshot must be taken after the lock, not before it.
                session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(url, 0))))
                session.execute(delete(table).where(table.metadata_["ref_doc_id"].astext == url))
            session.add_all([self._node_to_table_row(node) for node in nodes])
            for url in documents:
                count = sum(node.ref_doc_id == url for node in nodes)
                session.execute(text(_SAY_INDEXED), {"url": url, "chunks": count})
        return [node.node_id for node in nodes]

    def forget(self, url: str) -> int:
        """Delete a document and its chunks, in one transaction; returns the number of chunks."""
        table = self._table_class
        with Session(self._engine) as session, session.begin():
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(url, 0))))
            gone = session.execute(
                delete(table).where(table.metadata_["ref_doc_id"].astext == url).returning(table.node_id)
            )
            count = len(gone.all())
            session.execute(text(_FORGET), {"url": url})
        return count

    def set_up(self) -> None:
        """Create what is missing; safe when several processes do so at once."""
        self._initialize()
        with Session(self._engine) as session, session.begin():
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("set up the index", 0))))
            session.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
            self._table_class.__table__.create(session.connection(), checkfirst=True)
            session.execute(text(_TABLE_OF_DOCUMENTS))


class DocumentIndex:
    """The documents that have been indexed. Connects on first use; its methods may be called from any thread.

    While the database cannot be used, writing waits for it, and asking raises IndexUnavailableError.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._index: VectorStoreIndex | None = None

    def replace(self, url: str, pages: Sequence[Document]) -> int:
        """Index a document in place of what was indexed under its URL; returns the number of its pages."""
        chunks = chunks_of(url, pages)
        if not chunks:
            raise DocumentError(f"{url} has no text, only images perhaps: run text recognition (OCR) on it first")
        self._patiently(lambda index: index.insert_nodes(chunks))
        return len(pages)

    def remove(self, url: str) -> int:
        """Forget a document; returns the number of its chunks. One that is not there is forgotten already."""
        found = [0]

        def forget(index: VectorStoreIndex) -> None:
            store: Any = index.vector_store
            found[0] = store.forget(url)

        self._patiently(forget)
        return found[0]

    def say_failed(self, url: str, reason: str) -> None:
        """Note that a document could not be indexed; what was indexed of it before stays."""

        def say(_: VectorStoreIndex) -> None:
            with self._connection() as connection:
                connection.execute(text(_SAY_FAILED), {"url": url, "failure": reason})

        self._patiently(say)

    def ask(self, question: str) -> str:
        """Answer a question from the indexed documents."""
        with self._usable() as index:
            engine = index.as_query_engine(
                llm=models().language,
                similarity_top_k=models().passages,
                text_qa_template=PROMPT,
                response_mode="compact",
            )
            response = str(engine.query(question))
        return "Nothing is indexed yet that could answer this." if response == "Empty Response" else response

    def report(self) -> dict[str, object]:
        """How many documents and chunks there are, and which documents failed, with the reason."""
        with self._usable(), self._connection() as connection:
            counts = connection.execute(text("SELECT count(*), sum(chunks) FROM documents WHERE failure IS NULL")).one()
            failed = connection.execute(text("SELECT url, failure FROM documents WHERE failure IS NOT NULL")).all()
        return {"indexed": counts[0], "chunks": counts[1] or 0, "failed": dict(failed)}

    def close(self) -> None:
        """Close the connections."""
        if self._engine is not None:
            self._engine.dispose()

    def _patiently(self, write: Callable[[VectorStoreIndex], object]) -> None:
        """Write, as often as it takes: a document is not given up because the database is away for a while.

        What is written replaces what was there, so that it may be written twice when only the answer was lost.
        """
        for pause in chain(FIRST_PAUSES_SECONDS, repeat(LONGEST_PAUSE_SECONDS)):
            try:
                with self._usable() as index:
                    write(index)
            except IndexUnavailableError as error:
                logger.warning("Waiting with a document, next try in %g s: %s", pause, error)
                time.sleep(pause)
            else:
                return

    @contextmanager
    def _usable(self) -> Iterator[VectorStoreIndex]:
        """The index, to be used inside: that its database is away is an IndexUnavailableError."""
        try:
            with self._lock:
                self._index = self._index or self._open()
            yield self._index
        except (OperationalError, InterfaceError) as error:
            raise self._unavailable(error) from None

    def _open(self) -> VectorStoreIndex:
        # As many connections as the largest default pool has threads.
        url = _with_driver(self._database_url)
        self._engine = create_engine(url, pool_size=8, max_overflow=24, pool_pre_ping=True)
        store = DocumentStore(
            table_name=f"chunks_{models().name}",
            embed_dim=DIMENSIONS,
            perform_setup=False,
            engine=self._engine,
            async_engine=create_async_engine(url),
        )
        try:
            store.set_up()
        except DBAPIError as error:  # whatever it is: without its tables the database is none for us
            raise self._unavailable(error) from None
        # A document is added in one piece, whatever its size: `add` replaces it.
        return VectorStoreIndex.from_vector_store(
            store, embed_model=models().embedding, insert_batch_size=2**31, transformations=None
        )

    def _connection(self) -> Any:
        assert self._engine is not None
        return self._engine.begin()

    def _unavailable(self, error: DBAPIError) -> IndexUnavailableError:
        reason = " ".join(str(error.orig).split())
        return _unusable(f"The index's database {_shown(self._database_url)} cannot be used: {reason}.")


@cache
def document_index() -> DocumentIndex:
    """The index in the database that DATABASE_URL names."""
    return DocumentIndex(os.environ.get("DATABASE_URL", DEFAULT_DATABASE))


def public(url: HttpUrl) -> str:
    """The URL without user and password: what may stand in the index, an answer, a message or a log."""
    parts = urlsplit(str(url))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _with_driver(database_url: str) -> URL:
    """The URL with the driver that can do both threads and asyncio."""
    try:
        url = make_url(database_url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        url = None
    if url is None or "@" in f"{url.host}{url.database}":  # the end of a password that has a bare @ or /
        raise _unusable(
            "DATABASE_URL (not shown, it may hold a password) cannot be read; in a password @ is %40, / %2F."
        )
    return url


def _shown(database_url: str) -> str:
    """The URL without a password, which may stand in two places."""
    url = _with_driver(database_url).difference_update_query(["password", "sslpassword"])
    return url.render_as_string(hide_password=True)


def _unusable(what: str) -> IndexUnavailableError:
    return IndexUnavailableError(
        f"{what} Start Postgres with the pgvector extension there, or set DATABASE_URL to one (see the example's "
        "README), as in postgresql://user:password@host:5432/database."
    )
