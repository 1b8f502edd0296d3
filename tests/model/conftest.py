"""The stores of the contract suite, for what the model does to them."""

from __future__ import annotations

from tests.stores.conftest import open_another, postgres_url, store, store_url  # noqa: F401  # fixtures
