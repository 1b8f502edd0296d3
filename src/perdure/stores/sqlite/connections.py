"""Connections to one database file: opened lazily, each behind its own lock, every statement counted and translated.

What the statements mean is not known here.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from ...errors import StoreRefusedError, StoreUnavailableError, UnsupportedStoreError
from .. import forks
from .failures import FAILURES, is_busy, makes_useless, translate
from .statements import Statement, for_rows, statements

Row = Sequence[Any]
"""A row as the database gives it; the methods of the store know the columns of their own statements."""

_TOGETHER: Final = 1_000

_READERS: Final = 4
_PAUSES: Final = (0.0003, 0.0007, 0.0005, 0.0011, 0.0004, 0.0019)
"""Between two looks at the write lock; uneven, so as not to beat in time with who holds it."""

_SETTINGS: Final = (
    *("sync_every_commit", "enforce_foreign_keys", "leave_checkpoints_to_us"),
    *("limit_wal", "cache_pages", "undo_in_memory"),
)
_CACHED_STATEMENTS: Final = 256
_TEXT: Final = partial(str, encoding="utf-8", errors="surrogateescape")
"""Text that is none must not fail the statement that meets it, every claim perhaps: who reads the value says so."""


class Connection:
    """One lazily opened connection, for one thread at a time: inside `with connection.alone()` or `.writing()`."""

    def __init__(self, database: Database, script: Iterable[str] = ()) -> None:
        """`script` is run whenever it is opened."""
        self.lock = threading.Lock()
        self._database = database
        self._script = script
        self._statements = statements()
        self._sqlite: sqlite3.Connection | None = None
        self._cursor: sqlite3.Cursor | None = None
        self.impatient: set[int] = set()
        """The threads whose statements do not wait while another process writes; the others' do."""

    def arranged(self, name: str, given: Mapping[str, object]) -> list[object]:
        """What is given by name, as the statement takes it."""
        return [given[wanted] for wanted in self._statements[name].parameters]

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """The connection, for this thread only.

        A generator with `with lock` inside, not `__enter__` and `__exit__`: Ctrl-C between taking the lock and
        returning would leave it taken for ever.
        """
        self._let_forks_go_first()
        with self.lock:
            yield self

    def query(self, name: str, parameters: Iterable[object] = ()) -> list[Row]:
        """All rows of one statement."""
        return self.ask(self._statements[name], parameters)

    def ask(self, statement: Statement, parameters: Iterable[object] = ()) -> list[Row]:
        """All rows of a statement that was made for one table."""
        try:
            return self._run(statement, tuple(parameters)).fetchall()
        except FAILURES as failure:
            raise self._translated(failure) from failure

    def rows(self, name: str, parameters: Iterable[object] = ()) -> list[Row]:
        """All rows of a statement that may give many: it packs them, as JSON arrays, into few.

        The driver gives the interpreter's lock away for every row that it fetches, and beside one busy thread waits
        5 ms for each to have it back: a history of a thousand steps took 12 s. Where values are packed, too, it is
        told how many rows to pack `:together`; if they are too large for one, it packs none.
        """
        if "together" not in self._statements[name].parameters:
            return self._unpacked(name, parameters)
        try:
            return self._unpacked(name, (*parameters, _TOGETHER))
        except StoreRefusedError as error:
            if not isinstance(error.__cause__, sqlite3.DataError):
                raise
            return self._unpacked(name, (*parameters, 1))

    def _unpacked(self, name: str, parameters: Iterable[object]) -> list[Row]:
        return [row for (packed,) in self.query(name, parameters) for row in json.loads(packed)]

    def change(self, name: str, parameters: Iterable[object] = ()) -> int:
        """Run one statement; the number of rows it changed."""
        try:
            return self._run(self._statements[name], tuple(parameters)).rowcount
        except FAILURES as failure:
            raise self._translated(failure) from failure

    def insert(self, name: str, rows: Sequence[Row]) -> None:
        """Run an INSERT of one row, by one statement for all these."""
        statement = self._statements[name]
        parameters = tuple(value for row in rows for value in row)
        try:
            self._run(statement, parameters, for_rows(statement, len(rows)))
        except FAILURES as failure:
            raise self._translated(failure) from failure

    def run_script(self, script: Iterable[str]) -> None:
        """Run the statements of a migration, inside the transaction that is open."""
        try:
            for text in script:
                (self._cursor or self._open()).execute(text)
        except FAILURES as failure:
            raise self._translated(failure) from failure

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A write transaction: all of it or nothing. Waits for other writers, up to the database's patience."""
        self._let_forks_go_first()
        with self.lock:
            try:
                self.query("begin")
                yield self
                self.query("commit")
            finally:
                self._undo()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Several questions to one state of the database."""
        self._let_forks_go_first()
        with self.lock:
            try:
                self.query("begin_reading")
                yield self
            finally:
                self._undo()

    @property
    def is_open(self) -> bool:
        """Whether there is one right now."""
        return self._sqlite is not None

    def close(self) -> None:
        """Close the connection, if it is open. The caller holds the lock."""
        sqlite, self._sqlite, self._cursor = self._sqlite, None, None
        if sqlite is not None:
            sqlite.close()

    def version(self) -> int | None:
        """Another number when another connection has committed; uncounted, since it reads nothing of the file's. None
        while another process has all of the file, as when it closes it, or mends it after a crash.
        """
        try:
            [(version,)] = (self._cursor or self._open()).execute(self._statements["data_version"].text)
        except FAILURES as failure:
            if is_busy(failure):
                return None
            raise self._translated(failure) from failure
        return int(version)

    def forget(self) -> bool:
        """In a forked child: drop the connection without closing it, and the lock that nobody will release. Whether
        there was one, or another thread of the parent may just have been opening one.
        """
        sqlite, self._sqlite, self._cursor = self._sqlite, None, None
        lock, self.lock = self.lock, threading.Lock()
        if sqlite is not None:
            forks.pin(sqlite)
        return sqlite is not None or lock.locked()

    def _run(self, statement: Statement, parameters: Row, text: str = "") -> sqlite3.Cursor:
        """Run it, or the text that was made of it. While another process has the write lock, or all of the file when it
        closes it, try again and again.

        SQLite's own waiting sleeps up to 100 ms between two looks: beside a process that commits without a pause, whose
        lock is free for some microseconds at a time, it was seen to wait for ten seconds.
        """
        database = self._database
        if database.on_statement is not None:
            database.on_statement(statement.name)
        text = text or statement.text
        try:
            return (self._cursor or self._open()).execute(text, parameters)
        except sqlite3.OperationalError as failure:
            if not is_busy(failure) or threading.get_ident() in self.impatient:
                raise
        deadline = time.monotonic() + database.patience_seconds
        for pause in itertools.cycle(_PAUSES):
            time.sleep(pause)
            try:
                return (self._cursor or self._open()).execute(text, parameters)
            except sqlite3.OperationalError as failure:
                if not is_busy(failure) or time.monotonic() > deadline:
                    raise
        raise AssertionError("a cycle has no end")

    def _open(self) -> sqlite3.Cursor:
        sqlite = self._database.connect()
        try:
            for text in self._script:
                sqlite.execute(text)
        except BaseException:
            sqlite.close()
            raise
        self._sqlite, self._cursor = sqlite, sqlite.cursor()
        return self._cursor

    def _let_forks_go_first(self) -> None:
        """A plain lock would let a busy thread in again and again, and the fork wait."""
        if self._database.is_pausing:
            self._database.may_go_on.wait()

    def _undo(self) -> None:
        if self._sqlite is None or not self._sqlite.in_transaction:
            return
        try:
            self.query("rollback")
        except StoreUnavailableError:
            self.close()  # whatever state it is in, the next use opens a new one

    def _translated(self, failure: Exception) -> Exception:
        if makes_useless(failure):
            self.close()  # the next use opens it again
        return translate(failure, self._database.path, self._database.patience_seconds)


class Database:
    """One database file, and this process's connections to it.

    `turn` is the journal's, `heartbeat` the lease's; `steering` is for what people do to runs, which looks into the
    mailbox, and may wait where an event loop's commit may not; `spare()` serves everybody else.
    """

    def __init__(self, path: Path, patience_seconds: float, decisions: Iterable[str] = ()) -> None:
        self.path = path
        self.patience_seconds = patience_seconds
        self.on_statement: Callable[[str], None] | None = None
        self.cancelled: list[str] = []
        """The runs of which a batch was told that they have a cancel: by a function, for a trigger gives no answer."""
        self.turn = Connection(self, decisions)
        self.steering = Connection(self, decisions)
        self.heartbeat = Connection(self)
        self.checkpointer = Connection(self)
        self._readers = [Connection(self) for _ in range(_READERS)]
        self._next = itertools.cycle(self._readers)
        self.is_pausing = False
        self.may_go_on = threading.Event()
        self._paused: list[Connection] = []
        forks.watch(self)

    def spare(self) -> Connection:
        """A connection for a caller of any thread, free if one is."""
        for connection in self._readers:
            if not connection.lock.locked():
                return connection
        return next(self._next)

    def ask(self, name: str, *parameters: object) -> list[Row]:
        """`Connection.query` for a caller of any thread."""
        with self.spare().alone() as connection:
            return connection.query(name, parameters)

    def rows(self, name: str, *parameters: object) -> list[Row]:
        """`Connection.rows`, too."""
        with self.spare().alone() as connection:
            return connection.rows(name, parameters)

    def find(self, name: str, given: Mapping[str, object]) -> list[Row]:
        """The same, by the names of the parameters."""
        with self.spare().alone() as connection:
            return connection.rows(name, connection.arranged(name, given))

    def connect(self) -> sqlite3.Connection:
        """A new connection with our settings. Raises `sqlite3.Error`, or `UnsupportedStoreError` after a bad fork."""
        if forks.is_tainted(self.path):
            raise UnsupportedStoreError(
                f"this process was forked while {self.path} was in use, and SQLite cannot open the file again here: "
                "start the process with `spawn` or `forkserver`, or fork before Perdure is launched"
            )
        connection = sqlite3.connect(
            self.path,
            timeout=0.0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED_STATEMENTS,
        )
        connection.text_factory = _TEXT
        connection.create_function("note_cancel", 1, self.cancelled.append)
        try:
            for name in _SETTINGS:
                connection.execute(statements()[name].text)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close every connection, each after what it is doing."""
        for connection in self._all():
            with connection.alone():
                connection.close()

    def abandon(self) -> None:
        """In a forked child: start anew, without the connections that the fork could not close."""
        were_open = [connection.forget() for connection in self._all()]
        if any(were_open):
            forks.taint(self.path)

    def pause(self, deadline: float) -> None:
        """See `forks`."""
        self.may_go_on.clear()
        self.is_pausing = True
        for connection in self._all():
            if connection.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                self._paused.append(connection)
                connection.close()

    def resume(self) -> None:
        """See `forks`."""
        while self._paused:
            self._paused.pop().lock.release()
        self.is_pausing = False
        self.may_go_on.set()

    def resume_in_child(self) -> None:
        """See `forks`."""
        self.may_go_on = threading.Event()  # another thread may have been in the old one's lock
        self.resume()
        self.abandon()

    def _all(self) -> list[Connection]:
        return [self.turn, self.steering, self.heartbeat, self.checkpointer, *self._readers]
