"""Connections that a function of the user's opens: psycopg's, sync and async, and those of `sqlite3`."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Callable
from typing import Any

from ...errors import UsageError
from .psycopg import AsyncPsycopg, Psycopg
from .sqlite import Sqlite


class Connecting:
    """Calls the function for each transaction, and closes what it gives."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self.is_async = inspect.iscoroutinefunction(connect)

    def open(self) -> Any:
        return self._aopen() if self.is_async else opened_of(self._connect())

    async def _aopen(self) -> Any:
        return opened_of(await self._connect())


def source(connect: Callable[[], Any]) -> Connecting:
    """What `Transactions` takes for a function that connects."""
    return Connecting(connect)


def opened_of(connection: Any) -> Any:
    """What is done with such a connection."""
    if isinstance(connection, sqlite3.Connection):
        return Sqlite(connection)
    if type(connection).__module__.partition(".")[0] == "psycopg" or hasattr(connection, "pgconn"):
        is_async = inspect.iscoroutinefunction(connection.execute)
        return (AsyncPsycopg if is_async else Psycopg)(connection, connection.close)
    if inspect.iscoroutine(connection):
        connection.close()
        raise UsageError("Transactions(connect): connect gave a coroutine; make it an `async def` function itself")
    raise UsageError(
        f"Transactions(connect): connect gave a {type(connection).__name__}; what can be used is a connection of "
        "psycopg or sqlite3, and engines of SQLAlchemy for all others"
    )
