"""Connections of psycopg 3, sync and async, opened by a function or taken from a pool."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ...stores.tails import Statement


class Psycopg:
    """One sync connection. The driver begins the transaction by itself where it is not in autocommit mode."""

    def __init__(self, connection: Any, close: Callable[[], Any]) -> None:
        self.subject = connection
        self._close = close

    def ask(self, statement: Statement) -> Any:
        cursor = self.subject.execute(statement.text, statement.parameters)
        return cursor.fetchall() if cursor.description is not None else []

    def begin(self, *, is_exclusive: bool) -> Any:
        self.subject.rollback()  # what has been asked of it before
        return self.subject.execute("BEGIN") if self.subject.autocommit else None

    def commit(self) -> Any:
        return self.subject.commit()

    def rollback(self) -> Any:
        return self.subject.rollback()

    def close(self) -> Any:
        return self._close()


class AsyncPsycopg(Psycopg):
    """One async connection."""

    async def ask(self, statement: Statement) -> Any:
        cursor = await self.subject.execute(statement.text, statement.parameters)
        return await cursor.fetchall() if cursor.description is not None else []

    async def begin(self, *, is_exclusive: bool) -> None:
        await self.subject.rollback()
        if self.subject.autocommit:
            await self.subject.execute("BEGIN")


class Pooled:
    """Takes a connection from the pool for each transaction, and puts it back."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.is_async = inspect.iscoroutinefunction(pool.getconn)

    def open(self) -> Any:
        return self._aopen() if self.is_async else self._opened(Psycopg, self._pool.getconn())

    async def _aopen(self) -> Any:
        return self._opened(AsyncPsycopg, await self._pool.getconn())

    def _opened(self, kind: type[Psycopg], connection: Any) -> Psycopg:
        return kind(connection, lambda: self._pool.putconn(connection))


def source(pool: Any) -> Pooled:
    """What `Transactions` takes for a pool of psycopg_pool."""
    return Pooled(pool)
