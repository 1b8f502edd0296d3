"""The SQLite store: one file, the standard library's `sqlite3`, any number of processes of one machine."""

from .store import SqliteStore

__all__ = ["SqliteStore"]
