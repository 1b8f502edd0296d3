"""Connections of psycopg 3, sync and async, opened by a function or taken from a pool."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from psycopg.pq import TransactionStatus

from ...errors import UsageError
from ...stores.tails import DatabaseKind, Statement
from .opened import Complaint


class Psycopg:
    """One sync connection. The driver begins the transaction by itself where it is not in autocommit mode."""

    database: DatabaseKind = "postgres"
    is_async = False

    def __init__(self, connection: Any, close: Callable[[], Any]) -> None:
        self.subject = connection
        self._close = close

    def ask(self, statement: Statement) -> Any:
        cursor = self.subject.execute(statement.text, statement.parameters)
        return cursor.fetchall() if cursor.description is not None else []

    def complaint(self) -> Complaint | None:
        status = self.subject.info.transaction_status
        if status == TransactionStatus.UNKNOWN:
            return "closed"
        if status == TransactionStatus.INERROR:
            return "failed"
        return "autocommit" if status == TransactionStatus.IDLE and self.subject.autocommit else None

    def after_commit(self, tell: Callable[[], None]) -> None:
        """There is no hook."""

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

    is_async = True

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


def joined(connection: Any) -> Psycopg:
    """The user's connection as it is."""
    if not hasattr(connection, "info"):
        raise UsageError(f"connection={type(connection).__name__}: give a connection, such as one taken from the pool")
    kind = AsyncPsycopg if inspect.iscoroutinefunction(connection.execute) else Psycopg
    return kind(connection, connection.close)


def source(pool: Any) -> Pooled:
    """What `Transactions` takes for a pool of psycopg_pool."""
    return Pooled(pool)
