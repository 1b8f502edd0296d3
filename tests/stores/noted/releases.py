"""Stores of two releases beside each other: the next one has a kind of entry more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perdure.stores.kinds import KINDS
from perdure.stores.postgres import PostgresStore
from perdure.stores.protocol import Store
from perdure.stores.sqlite import SqliteStore
from tests.stores.conftest import KINDS as STORES
from tests.stores.noted.kind import NOTED

MORE_KINDS = (*KINDS[:2], NOTED, *KINDS[2:])
"""Of the next release, so that its functions are others. Before the ends of claims: what a run says is written while it
is held.
"""


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the test's own: its tables may get others beside them, and columns more."""
    if request.param == "postgres":
        return str(request.getfixturevalue("own_postgres_url"))
    return str(tmp_path / "perdure.db")


@pytest.fixture
def opened(store_url: str) -> Iterator[Callable[..., Store]]:
    """Opens a store of a release, such as one with these `kinds`."""
    stores: list[Store] = []

    def open_one(**options: Any) -> Store:
        make = PostgresStore if store_url.startswith("postgres") else SqliteStore
        stores.append(make(store_url, **options))
        stores[-1].migrate()
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()
