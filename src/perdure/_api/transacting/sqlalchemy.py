"""Engines and sessionmakers of SQLAlchemy 2, sync and async, over whatever driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlalchemy.orm import sessionmaker

from ...errors import UsageError
from ...stores.tails import Statement
from .sqlite import with_colons


class Alchemy:
    """One connection or session, sync or async: both have the same methods, which give awaitables where async."""

    def __init__(self, subject: Any, *, is_async: bool, is_sqlite: bool) -> None:
        self.subject = subject
        self._is_async = is_async
        self._is_sqlite = is_sqlite

    def ask(self, statement: Statement) -> Any:
        asked = self.subject.execute(text(with_colons(statement.text)), dict(statement.parameters))
        return self._rows(asked) if self._is_async else rows_of(asked)

    async def _rows(self, asked: Any) -> Any:
        return rows_of(await asked)

    def begin(self, *, is_exclusive: bool) -> Any:
        if not (is_exclusive and self._is_sqlite):
            return self.subject.rollback()
        return self._abegin_exclusive() if self._is_async else self._begin_exclusive()

    def _begin_exclusive(self) -> None:
        self.subject.rollback()
        self.subject.execute(text("BEGIN IMMEDIATE"))

    async def _abegin_exclusive(self) -> None:
        await self.subject.rollback()
        await self.subject.execute(text("BEGIN IMMEDIATE"))

    def commit(self) -> Any:
        return self.subject.commit()

    def rollback(self) -> Any:
        return self.subject.rollback()

    def close(self) -> Any:
        return self.subject.close()


def rows_of(result: Any) -> list[Any]:
    """The rows, of a statement that gives any."""
    return [tuple(row) for row in result.fetchall()] if result.returns_rows else []


class AlchemySource:
    """Opens a connection or session for each transaction."""

    def __init__(self, make: Callable[[], Any], *, is_async: bool, is_sqlite: bool) -> None:
        self.is_async = is_async
        self._make = make
        self._is_sqlite = is_sqlite

    def open(self) -> Any:
        return self._aopen() if self.is_async else self._opened(self._make())

    async def _aopen(self) -> Any:
        made = self._make()
        if hasattr(made, "start"):  # an AsyncConnection is open when it is started; a session needs no start
            made = await made.start()
        return self._opened(made)

    def _opened(self, subject: Any) -> Alchemy:
        return Alchemy(subject, is_async=self.is_async, is_sqlite=self._is_sqlite)


def source(given: Any) -> AlchemySource:
    """What `Transactions` takes for an engine or a sessionmaker."""
    is_async = isinstance(given, (AsyncEngine, async_sessionmaker))
    if isinstance(given, (Engine, AsyncEngine)):
        return AlchemySource(given.connect, is_async=is_async, is_sqlite=given.dialect.name == "sqlite")
    if isinstance(given, (sessionmaker, async_sessionmaker)):
        bind = given.kw.get("bind")
        if bind is None:
            raise UsageError("Transactions(sessionmaker): it has no engine; make it as sessionmaker(engine)")
        return AlchemySource(given, is_async=is_async, is_sqlite=bind.dialect.name == "sqlite")
    raise UsageError(
        f"Transactions({type(given).__name__}): of SQLAlchemy give an engine or a sessionmaker, sync or async, not one "
        "connection or session: each transaction gets its own"
    )
