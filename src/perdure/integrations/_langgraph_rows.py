"""The tables of `PerdureSaver`: a connection to either database, and its statements by their names."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from .. import UsageError

_NAMED = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)
_PARAMETER = re.compile(r"(?<!:):(\w+)")
BUSY_SECONDS = 30.0

Row = tuple[Any, ...]
Work = Iterable[tuple[str, dict[str, Any]]]
"""Statements by their names, each with its parameters."""
Select = Callable[..., list[Row]]
"""Gives what a statement finds, by its name and parameters."""


def statements() -> dict[str, str]:
    """The named statements."""
    text = files(__package__).joinpath("_langgraph_tables.sql").read_text(encoding="utf-8")
    return dict(_NAMED.findall(text))


_left_alone: list[Any] = []
"""Connections of a parent process: closing one here would end it there."""


class Rows:
    """One connection, used by one thread at a time, made anew when the database has closed it."""

    def __init__(self, url: str | os.PathLike[str] | None) -> None:
        self._url = os.fspath(url or os.environ.get("PERDURE_URL") or "perdure.db")
        if not isinstance(self._url, str) or not self._url:
            raise UsageError(f"PerdureSaver({url!r}): give a path, or a sqlite:/// or postgresql:// URL")
        self._is_postgres = self._url.startswith(("postgresql://", "postgres://"))
        self._lock = threading.Lock()
        self._connection: Any = None
        self._process = os.getpid()
        self._statements = {name: self._translated(text) for name, text in statements().items()}

    def _translated(self, statement: str) -> str:
        if not self._is_postgres:
            return statement
        return _PARAMETER.sub(r"%(\1)s", re.sub(r"\blanggraph_", "perdure_langgraph.", statement))

    def select(self, name: str, **parameters: Any) -> list[Row]:
        """What a statement gives."""
        with self._lock:
            return list(self._open().execute(self._statements[name], parameters).fetchall())

    def change(self, work: Work) -> None:
        """Do all of it in one transaction."""
        self.revise(lambda select: work)

    def revise(self, decide: Callable[[Select], Work]) -> None:
        """Look and then do what `decide` makes of it, in one transaction."""
        with self._transaction() as connection:

            def select(name: str, **parameters: Any) -> list[Row]:
                return list(connection.execute(self._statements[name], parameters).fetchall())

            for name, parameters in decide(select):
                connection.execute(self._statements[name], parameters)

    def close(self) -> None:
        """Close the connection; the next call makes another one."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._lock:
            connection = self._open()
            if self._is_postgres:
                with connection.transaction():
                    yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

    def _open(self) -> Any:
        """The connection. That of a parent process is left to it, open as it is."""
        is_usable = self._process == os.getpid() and self._connection is not None
        if not is_usable or (self._is_postgres and self._connection.closed):
            _left_alone.extend([self._connection] if self._process != os.getpid() else [])
            self._connection, self._process = self._connect(), os.getpid()
        return self._connection

    def _connect(self) -> Any:
        if self._is_postgres:
            import psycopg  # an extra of its own

            connection = psycopg.connect(self._url, autocommit=True)
            with connection.transaction():
                for statement in self._statements["schema_postgres"].split(";\n"):
                    connection.execute(statement.encode())
            return connection
        path = self._url.removeprefix("sqlite:///")
        opened = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        opened.executescript(self._statements["schema_sqlite"])
        return opened
