"""The Postgres that the pages' examples name."""

from __future__ import annotations

from tests.stores.postgres_server import own_postgres_url

__all__ = ["own_postgres_url"]
