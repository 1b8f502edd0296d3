"""Connections of the standard library's `sqlite3`."""

from __future__ import annotations

import re
import sqlite3
import time
from typing import Any, Final

from ...stores.tails import Statement

PATIENCE_SECONDS: Final = 30.0
"""How long the transaction waits for the file's write lock."""
PAUSE_SECONDS: Final = 0.002

_OF_DRIVERS = re.compile(r"%\((\w+)\)s")


def with_colons(text: str) -> str:
    """The statement with its parameters as SQLite, and SQLAlchemy, write them."""
    return _OF_DRIVERS.sub(r":\1", text)


class Sqlite:
    """One connection; a transaction in Perdure's own file has its write lock from the first statement on."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.subject = connection

    def ask(self, statement: Statement) -> Any:
        return self.subject.execute(with_colons(statement.text), dict(statement.parameters)).fetchall()

    def begin(self, *, is_exclusive: bool) -> None:
        self.subject.rollback()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.subject.execute("BEGIN IMMEDIATE" if is_exclusive else "BEGIN")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_SECONDS)
            else:
                return

    def commit(self) -> None:
        self.subject.commit()

    def rollback(self) -> None:
        self.subject.rollback()

    def close(self) -> None:
        self.subject.close()
