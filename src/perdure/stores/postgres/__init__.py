"""The Postgres store: one database, any number of processes on any number of machines. Needs psycopg 3."""

from .store import PostgresStore

__all__ = ["PostgresStore"]
