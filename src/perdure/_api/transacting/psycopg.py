"""Connections of psycopg 3, sync and async, opened by a function or taken from a pool."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from psycopg import AsyncCursor, Cursor, OperationalError, Rollback
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from ...errors import UsageError
from ...stores.tails import DatabaseKind, Statement
from .opened import Complaint

UNDONE = (Rollback, Rollback(), None)
"""What a block is left with that is to be rolled back, and to raise nothing."""


class Psycopg:
    """One sync connection. The transaction is a block of the driver's: a block in it is a savepoint, and the driver
    refuses a commit or rollback by others.
    """

    database: DatabaseKind = "postgres"
    is_async = False

    def __init__(self, connection: Any, close: Callable[[], Any]) -> None:
        self.subject = connection
        self._close = close
        self._block: Any = None

    def ask(self, statement: Statement) -> Any:
        # The user's own cursors and rows may be of any shape.
        cursor = Cursor(self.subject, row_factory=tuple_row).execute(statement.text.encode(), statement.parameters)
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
        if not self.is_idle():
            self.subject.commit()  # what the function that connects has set
        self._block = self.subject.transaction()
        self._block.__enter__()

    def is_idle(self) -> bool:
        """Whether no transaction is open."""
        return bool(self.subject.info.transaction_status == TransactionStatus.IDLE)

    def is_begun(self) -> bool:
        return not self.is_idle()

    def commit(self) -> Any:
        if self.subject.closed:  # the block would leave it at that
            raise OperationalError("the connection is closed")
        self._left().__exit__(None, None, None)

    def rollback(self) -> Any:
        if self._block is not None:
            self._left().__exit__(*UNDONE)

    def _left(self) -> Any:
        block, self._block = self._block, None
        return block

    def close(self) -> Any:
        return self._close()


class AsyncPsycopg(Psycopg):
    """One async connection."""

    is_async = True

    async def ask(self, statement: Statement) -> Any:
        cursor = AsyncCursor(self.subject, row_factory=tuple_row)
        await cursor.execute(statement.text.encode(), statement.parameters)
        return await cursor.fetchall() if cursor.description is not None else []

    async def begin(self, *, is_exclusive: bool) -> None:
        if not self.is_idle():
            await self.subject.commit()
        self._block = self.subject.transaction()
        await self._block.__aenter__()

    async def commit(self) -> None:
        if self.subject.closed:
            raise OperationalError("the connection is closed")
        await self._left().__aexit__(None, None, None)

    async def rollback(self) -> None:
        if self._block is not None:
            await self._left().__aexit__(*UNDONE)


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
