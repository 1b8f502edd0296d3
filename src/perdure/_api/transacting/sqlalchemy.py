"""Engines and sessionmakers of SQLAlchemy 2, sync and async, over whatever driver."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.event import listen
from sqlalchemy.orm import Session, SessionTransaction, scoped_session, sessionmaker

from ...errors import UsageError
from ...stores.tails import DatabaseKind, Statement
from .opened import Complaint, kind_of
from .sqlite import TAKE_WRITE_LOCK, commits_alone, ignores_commit, with_colons


class Alchemy:
    """One connection or session, sync or async: both have the same methods, which give awaitables where async."""

    def __init__(self, subject: Any, *, is_async: bool, is_sqlite: bool) -> None:
        self.subject = subject
        self.is_async = is_async
        self._is_sqlite = is_sqlite
        self._transaction: Any = None

    def ask(self, statement: Statement) -> Any:
        asked = self.subject.execute(text(with_colons(statement.text)), dict(statement.parameters))
        return self._rows(asked) if self.is_async else rows_of(asked)

    async def _rows(self, asked: Any) -> Any:
        return rows_of(await asked)

    @property
    def database(self) -> DatabaseKind:
        """What it reaches."""
        subject = self.subject
        return kind_of((subject.get_bind() if hasattr(subject, "get_bind") else subject).dialect.name)

    def complaint(self) -> Any:
        return self.subject.run_sync(complaint_of) if self.is_async else complaint_of(self.subject)

    def after_commit(self, tell: Callable[[], None]) -> None:
        """A session has a hook, a connection none that comes after its commit."""
        session = getattr(self.subject, "sync_session", self.subject)
        if isinstance(session, Session):
            if session not in _told:
                _told[session] = []
                listen(session, "after_transaction_end", _tell)
            _told[session].append(tell)

    def begin(self, *, is_exclusive: bool) -> Any:
        begun = partial(self._begin, is_exclusive=is_exclusive and self._is_sqlite)
        return self.subject.run_sync(begun) if self.is_async else begun(self.subject)

    def _begin(self, subject: Any, *, is_exclusive: bool) -> None:
        """On the sync side of it. A transaction that is begun by name refuses to be begun by the body."""
        subject.rollback()
        subject.begin()
        self._transaction = subject.get_transaction()
        connection = subject if isinstance(subject, Connection) else subject.connection()
        own: Any = connection.connection.driver_connection
        if is_exclusive:
            subject.execute(text(TAKE_WRITE_LOCK.text if own.in_transaction else "BEGIN IMMEDIATE"))
        if complaint_of(subject) == "autocommit" or (connection.dialect.name == "sqlite" and ignores_commit(own)):
            raise UsageError("Transactions: the engine is in autocommit mode, in which each statement is a commit")

    def is_begun(self) -> bool:
        own = getattr(self.subject, "sync_session", None) or getattr(self.subject, "sync_connection", self.subject)
        return own.get_transaction() is self._transaction

    def commit(self) -> Any:
        return self.subject.commit()

    def rollback(self) -> Any:
        return self.subject.rollback()

    def close(self) -> Any:
        return self.subject.close()


_told: WeakKeyDictionary[Session, list[Callable[[], None]]] = WeakKeyDictionary()
"""Whom to tell when a session's transaction has ended."""


def _tell(session: Session, ended: SessionTransaction) -> None:
    """Also after a rollback: a hint for nothing costs a look."""
    if ended.parent is None and (told := _told.get(session)):
        _told[session] = []
        for tell in told:
            tell()


def complaint_of(subject: Any) -> Complaint | None:
    """Of a sync connection or session. Nothing is begun for it."""
    if not getattr(subject, "is_active", True):
        return "failed"
    if getattr(subject, "closed", False):
        return "closed"
    if not subject.in_transaction():
        return None
    connection = subject if isinstance(subject, Connection) else subject.connection()
    pooled = connection.connection
    own: Any = pooled.driver_connection
    if connection.dialect.name == "sqlite":
        return "autocommit" if not own.in_transaction and commits_alone(own) else None
    return "autocommit" if getattr(pooled.dbapi_connection, "autocommit", False) is True else None


def joined(given: Any) -> Alchemy:
    """The user's connection or session as it is."""
    is_scoped = isinstance(given, scoped_session) or is_one_of(given, "async_scoped_session")
    subject = given() if is_scoped else given
    is_async = is_one_of(subject, "AsyncConnection", "AsyncSession")
    if not is_async and not isinstance(subject, (Connection, Session)):
        raise UsageError(f"connection={type(given).__name__}: of SQLAlchemy give a connection or a session")
    return Alchemy(subject, is_async=is_async, is_sqlite=False)


def is_one_of(given: Any, *names: str) -> bool:
    """Whether it is of one of these async classes. Who has one has imported them; others may lack `greenlet`, without
    which they cannot be.
    """
    module = sys.modules.get("sqlalchemy.ext.asyncio")
    return module is not None and isinstance(given, tuple(getattr(module, name) for name in names))


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
    is_engine, is_maker = is_one_of(given, "AsyncEngine"), is_one_of(given, "async_sessionmaker")
    is_async = is_engine or is_maker
    if is_engine or isinstance(given, Engine):
        return AlchemySource(given.connect, is_async=is_async, is_sqlite=given.dialect.name == "sqlite")
    if is_maker or isinstance(given, sessionmaker):
        bind = given.kw.get("bind")
        if bind is None:
            raise UsageError("Transactions(sessionmaker): it has no engine; make it as sessionmaker(engine)")
        return AlchemySource(given, is_async=is_async, is_sqlite=bind.dialect.name == "sqlite")
    raise UsageError(
        f"Transactions({type(given).__name__}): of SQLAlchemy give an engine or a sessionmaker, sync or async, not one "
        "connection or session: each transaction gets its own"
    )
