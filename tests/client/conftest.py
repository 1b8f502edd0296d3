"""The fixtures of the clients' tests: a database, and a client that makes its tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

import perdure
from tests.stores.conftest import store_url as store_url  # a fixture

with contextlib.suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture


@pytest.fixture
def client(store_url: str) -> Iterator[perdure.Client]:
    """A client of a database that nobody has used."""
    with perdure.Client(store_url) as made:
        yield made
