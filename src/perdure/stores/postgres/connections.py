"""Connections: for the journal's turn, for claims, for the heartbeat, a few for everybody else. None crosses a fork."""

from __future__ import annotations

import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import random
from typing import Any, Final, TypeVar
from uuid import uuid4

import psycopg
from psycopg.pq import ExecStatus, PipelineStatus

from ...errors import StoreError, StoreUnavailableError, UnsupportedStoreError
from .. import forks
from .addresses import Address
from .calls import Call, Statement, failure_of
from .decisions import Decisions
from .failures import FAILURES, FORGOTTEN, RETRIED, UNPREPARED, is_standby, translate, translate_connecting

T = TypeVar("T")
Row = tuple[Any, ...]
Parameters = Mapping[str, object]

OLDEST_SERVER: Final = 14
"""The oldest major version of Postgres that its makers supported when this was written."""

_NAME_BYTES = 50
"""Of an application's own name, of which a server keeps 63."""
_SPARE_CONNECTIONS = 4
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.1


class Connection:
    """One connection, opened on first use and again after it broke. For one thread at a time: take `lock`."""

    def __init__(self, database: Database) -> None:
        self.lock = threading.Lock()
        self._database = database
        self._connection: psycopg.Connection[Row] | None = None
        self._cursor: psycopg.Cursor[Row] | None = None
        self.decisions = database.decisions
        self._prepared: set[bytes] = set()
        self._primary = 0
        """Of which of the servers that the database has had, as `Database.primary` counts them."""
        self.opened = 0
        """Which of all connections this one is, of this process: every opening gets another number."""

    def query(self, name: str, parameters: Parameters) -> list[Row]:
        """Send the named query, a transaction of its own, and return its rows.

        Raises `StoreUnavailableError` where it is not known whether it has happened. A deadlock is tried again: the
        server has undone everything.
        """
        cursor = self._ready_cursor()
        if (listener := self._database.on_statement) is not None:
            listener(name)
        text = self.decisions.text(name)

        def execute() -> list[Row]:
            cursor.execute(text, parameters)
            return cursor.fetchall() if cursor.description is not None else []

        return self._tried(execute)

    def send(self, name: str, statements: Sequence[Statement]) -> Call:
        """Send the statements as one transaction, and do not wait; `name` is for who counts.

        Raises `StoreUnavailableError` where they could not be sent. Nothing else may use the connection before
        `answer`.
        """
        pgconn = self._ready_cursor().connection.pgconn
        if (listener := self._database.on_statement) is not None:
            listener(name)
        call = Call(pgconn, self._prepared.add)
        try:
            call.send(statements, self._is_to_prepare if self._database.address.prepare_threshold is not None else None)
        except FAILURES as failure:
            self.close()
            raise self._translated(failure) from failure
        return call

    @property
    def is_open(self) -> bool:
        """Whether `send` would not have to connect first."""
        return self._cursor is not None and self._primary == self._database.primary

    def fileno(self) -> int:
        """Its socket, readable when the server has something to say; -1 where it is closed."""
        connection = self._connection
        try:
            return connection.pgconn.socket if connection is not None else -1
        except psycopg.Error:
            return -1

    def heard(self) -> list[psycopg.Notify]:
        """What has come without being asked for, now. Raises `StoreUnavailableError` where the server has gone."""
        connection = self._connection
        if connection is None:
            return []
        try:
            return list(connection.notifies(timeout=0))
        except FAILURES as failure:
            raise self._translated(failure) from failure

    def answer(self, call: Call, on_answer: Callable[[Call], None]) -> None:
        """Wait for what was sent. Errors as of `query`, `Fenced` and `NotNew`; nothing is tried again."""
        try:
            self._finish(call, on_answer)
        except FAILURES as failure:
            raise self._translated(failure) from failure

    def call(self, name: str, statements: Sequence[Statement], on_answer: Callable[[Call], None]) -> None:
        """`send` and `answer`, with the promises of `query`."""
        self._tried(lambda: self._finish(self.send(name, statements), on_answer))

    def _is_to_prepare(self, name: bytes) -> bool:
        return name not in self._prepared

    def _finish(self, call: Call, on_answer: Callable[[Call], None]) -> None:
        try:
            call.wait()
        except BaseException:  # Ctrl-C, too: whatever is left of the answer belongs to no later call
            self.close()
            raise
        on_answer(call)
        try:
            call.check()
        except psycopg.errors.InvalidSqlStatementName:  # the driver drops all that is prepared after a rollback
            self.close()
            raise

    def _ready_cursor(self) -> psycopg.Cursor[Row]:
        if self._connection is not None and self._connection.pgconn.pipeline_status != PipelineStatus.OFF:
            self.close()  # Ctrl-C came between a call and its answer
        elif self._primary != self._database.primary:
            self.close()
        return self._cursor if self._cursor is not None else self._open()

    def _tried(self, attempt: Callable[[], T]) -> T:
        for left in reversed(range(_ATTEMPTS)):
            try:
                return attempt()
            except RETRIED as failure:
                if not left:
                    raise self._translated(failure) from failure
                pause = random() * _PAUSE_SECONDS  # noqa: S311  # at once, the same two would meet again
                time.sleep(pause)
            except FAILURES as failure:
                if not left or getattr(failure, "sqlstate", None) not in (UNPREPARED, FORGOTTEN):
                    raise self._translated(failure) from failure
                if self._connection is not None:  # a pooler's: another one perhaps than was prepared
                    self._prepare(self._connection)
        raise AssertionError("the loop returns or raises")

    def ask(self, name: str, parameters: Parameters) -> list[Row]:
        """As `query`, for what may be sent twice: a connection that had died unnoticed is replaced without a word."""
        was_open = self._connection is not None
        try:
            return self.query(name, parameters)
        except StoreUnavailableError:
            if not was_open or self._connection is not None:
                raise
        return self.query(name, parameters)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction of several statements: for migrations, and for what goes the slow way."""
        cursor = self._ready_cursor()
        try:
            with cursor.connection.transaction():
                yield Transaction(cursor, self._database)
        except FAILURES as failure:
            raise self._translated(failure) from failure

    def close(self) -> None:
        """Close it, if it is open; the next query opens it again."""
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            connection.close()

    def abandon(self) -> None:
        """In a forked child: let go without a word to the server.

        The socket is the parent's too: closing the connection would say goodbye in the parent's name, and a TLS one
        would send its own closing bytes. So its descriptor is pointed elsewhere first (whatever is still written goes
        nowhere), and the objects get one reference too many: nothing finalises them, also not the interpreter's end.
        """
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is None:
            return
        forks.pin(connection, connection.pgconn)
        try:
            socket = connection.pgconn.socket
        except psycopg.Error:
            return
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(nowhere, socket, inheritable=False)
        os.close(nowhere)

    def _open(self) -> psycopg.Cursor[Row]:
        address, primary = self._database.address, self._database.primary
        try:
            settings = address.settings | {"application_name": self._database.name}
            connection = psycopg.connect(autocommit=True, **settings)  # type: ignore[arg-type]  # libpq's own
        except FAILURES as failure:
            raise translate_connecting(failure, address) from failure
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._cursor = connection, connection.cursor()
        self._prepared.clear()
        self._primary = primary
        self.opened = next(_openings)
        return self._cursor

    def _prepare(self, connection: psycopg.Connection[Row]) -> None:
        address = self._database.address
        version = connection.info.server_version // 10_000
        if version < OLDEST_SERVER:
            raise UnsupportedStoreError(
                f"{address.where} is Postgres {version}: Perdure needs {OLDEST_SERVER} or newer; upgrade the server"
            )
        connection.prepare_threshold = address.prepare_threshold
        try:
            row = connection.execute(self.decisions.text("prepare_session"), prepare=False).fetchone()
        except FAILURES as failure:
            raise translate_connecting(failure, address) from failure
        if row is not None and row[-1] != "UTF8":
            raise UnsupportedStoreError(
                f"{address.where} is encoded in {row[-1]}, which cannot hold every text: use a database made with "
                "ENCODING 'UTF8'"
            )

    def _translated(self, failure: Exception) -> StoreError:
        """Our own error for it. Where the server takes no writes any more, all our connections leave it: they find the
        one that does, if the address knows several or leads to another one now.
        """
        if self._connection is not None and (self._connection.broken or self._connection.closed):
            self.close()
        if is_standby(failure) and self._primary == self._database.primary:
            self._database.primary += 1
            self.close()
        return translate(failure, self._database.address)


class Transaction:
    """One that is open: asks named queries in it. Errors are the driver's own, which end it."""

    def __init__(self, cursor: psycopg.Cursor[Row], database: Database) -> None:
        self.cursor = cursor
        self._database = database

    def ask(self, name: str, /, **parameters: object) -> list[Row]:
        """The rows of the named query."""
        return self.ask_text(name, self._database.decisions.text(name), **parameters)

    def ask_text(self, name: str, text: str, /, **parameters: object) -> list[Row]:
        """The rows of a statement that was made for one table; `name` is for who counts."""
        if (listener := self._database.on_statement) is not None:
            listener(name)
        self.cursor.execute(text, parameters)
        return self.cursor.fetchall() if self.cursor.description is not None else []

    def run(self, statement: Statement) -> None:
        """A statement of a batch. Raises `NotNew` as `Call.check` does."""
        result = self.cursor.connection.pgconn.exec_params(statement.text, statement.parameters)
        if result.status != ExecStatus.TUPLES_OK:
            raise failure_of(result)

    def run_script(self, script: str) -> None:
        """Several statements without parameters."""
        self.cursor.execute(script.encode(), prepare=False)


class Database:
    """The connections of one store. `on_statement` is called with the name of each query, connecting aside."""

    def __init__(self, address: Address, decisions: Decisions) -> None:
        self.address = address
        self.decisions = decisions
        self.on_statement: Callable[[str], None] | None = None
        self.primary = 0
        """Another number after each server that was found to be a standby, or read-only."""
        self._start()
        _living.add(self)

    def _start(self) -> None:
        self.name = f"{self.address.settings['application_name'][:_NAME_BYTES]} {uuid4().hex[:8]}"
        """What all sessions of this process are called at the server, and nobody else's."""
        self.turn = Connection(self)
        self.claims = Connection(self)
        self.heartbeat = Connection(self)
        self._spare: list[Connection] = []
        self._idle: list[Connection] = []
        self._free = threading.BoundedSemaphore(_SPARE_CONNECTIONS)

    def ask(self, name: str, parameters: Parameters) -> list[Row]:
        """Run a query, which may be sent twice, on a spare connection; waits for one while all are in use."""
        with self.spare() as connection:
            return connection.ask(name, parameters)

    @contextmanager
    def spare(self) -> Iterator[Connection]:
        """A connection for the calling thread, from a pool that grows when it must. `list` methods are atomic."""
        free, idle = self._free, self._idle
        with free:
            try:
                connection = idle.pop()
            except IndexError:
                connection = Connection(self)
                self._spare.append(connection)
            try:
                with connection.lock:
                    yield connection
            finally:
                idle.append(connection)

    def close(self) -> None:
        """Close every connection that is not in use, and wait for those that are."""
        for connection in (self.turn, self.claims, self.heartbeat, *self._spare):
            with connection.lock:
                connection.close()

    def abandon(self) -> None:
        """In a forked child: start anew. Takes no lock: a thread that the child does not have may hold it."""
        for connection in (self.turn, self.claims, self.heartbeat, *self._spare):
            connection.abandon()
        self._start()


_openings = itertools.count(1)
_living: weakref.WeakSet[Database] = weakref.WeakSet()


def _after_in_child() -> None:
    for database in list(_living):
        database.abandon()


os.register_at_fork(after_in_child=_after_in_child)
