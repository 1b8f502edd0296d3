"""Connections of the standard library's `sqlite3`."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from typing import Any, Final

from ...stores.queries import load_queries
from ...stores.tails import DatabaseKind, Statement
from .opened import Complaint

PATIENCE_SECONDS: Final = 30.0
"""How long the transaction waits for the file's write lock."""
PAUSE_SECONDS: Final = 0.002
TAKE_WRITE_LOCK: Final = Statement(load_queries("perdure.stores.sqlite")["take_write_lock"].text, {})
"""Where a transaction was begun by others, and not for writing."""

_OF_DRIVERS = re.compile(r"%\((\w+)\)s")


def with_colons(text: str) -> str:
    """The statement with its parameters as SQLite, and SQLAlchemy, write them."""
    return _OF_DRIVERS.sub(r":\1", text)


def commits_alone(connection: Any) -> bool:
    """Whether each statement outside a transaction commits by itself."""
    return connection.isolation_level is None or ignores_commit(connection)


def ignores_commit(connection: Any) -> bool:
    """Whether `commit()` and `rollback()` of the driver do nothing: `autocommit=True`, from Python 3.12 on."""
    return getattr(connection, "autocommit", False) is True


def joined(connection: sqlite3.Connection) -> Sqlite:
    """The user's connection as it is."""
    return Sqlite(connection)


class Sqlite:
    """One connection; a transaction in Perdure's own file has its write lock from the first statement on."""

    database: DatabaseKind = "sqlite"
    is_async = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.subject = connection

    def ask(self, statement: Statement) -> Any:
        texts, self.subject.text_factory = self.subject.text_factory, str  # the user's own may make anything of a text
        try:
            cursor = self.subject.execute(with_colons(statement.text), dict(statement.parameters))
            cursor.row_factory = None  # nor of a row
            return cursor.fetchall()
        finally:
            self.subject.text_factory = texts

    def complaint(self) -> Complaint | None:
        """None where a transaction is open, or the driver begins one before the first INSERT."""
        return "autocommit" if not self.subject.in_transaction and commits_alone(self.subject) else None

    def after_commit(self, tell: Callable[[], None]) -> None:
        """Nobody need be told: who looks whether the file has changed sees it."""

    def begin(self, *, is_exclusive: bool) -> None:
        self.rollback()
        begins = "BEGIN IMMEDIATE" if is_exclusive else "BEGIN"
        if self.subject.in_transaction:  # `autocommit=False`: the driver begins each by itself
            if not is_exclusive:
                return
            begins = TAKE_WRITE_LOCK.text
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.subject.execute(begins)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_SECONDS)
            else:
                return

    def is_begun(self) -> bool:
        return self.subject.in_transaction

    def commit(self) -> None:
        if ignores_commit(self.subject):
            self.subject.execute("COMMIT")
        else:
            self.subject.commit()

    def rollback(self) -> None:
        if not ignores_commit(self.subject):
            self.subject.rollback()
        elif self.subject.in_transaction:
            self.subject.execute("ROLLBACK")

    def close(self) -> None:
        self.subject.close()
