"""The databases: those of the stores' tests."""

from __future__ import annotations

from contextlib import suppress

from tests.stores.conftest import store_url as store_url  # a fixture

with suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture
