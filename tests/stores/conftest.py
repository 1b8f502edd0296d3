"""The fixtures of the contract suite: `store`, on every kind of database that can be had here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.stores.open import open_store
from perdure.stores.protocol import Store
from tests.stores.entries import OpenAnother

try:
    from tests.stores.postgres_server import own_postgres_url, postgres_url  # noqa: F401  # fixtures: URLs of databases
except ImportError:
    KINDS = ["sqlite"]
else:
    KINDS = ["sqlite", "postgres"]


@pytest.fixture(params=KINDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that nobody has used."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return str(tmp_path / "perdure.db")


@pytest.fixture
def open_another(store_url: str) -> Iterator[OpenAnother]:
    """Opens one more store on the test's database, as another process would."""
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(open_store(store_url))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_another: OpenAnother) -> Store:
    """A store with its tables."""
    opened = open_another()
    opened.migrate()
    return opened
