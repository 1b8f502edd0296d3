"""A batch through libpq itself: what the journal sends again and again, all of its statements in one round trip.

The statements go in pipeline mode, behind the fence and before one Sync: the server takes them for one transaction,
which it commits at the Sync, and after an error it does none of the rest. The driver's own cursor costs three times as
much (80 µs against 25 per call, beside 200 of a commit), gives up the interpreter's lock more often, and cannot send
without waiting for the answer. Whoever sends here may wait on a thread, or let an event loop say when the socket has
something to read.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from psycopg import OperationalError, errors
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from ..protocol import Fenced

_LOOK_MILLISECONDS: Final = 1_000
"""How long a wait sleeps at most, so that a signal's handler gets its turn."""

_FENCED: Final = b"PD000"
_NOT_NEW: Final = b"PD001"


class NotNew(Exception):  # noqa: N818  # a state of the batch, no mistake of anybody
    """An entry was recorded before, or cannot be: nothing of the batch has happened, and the slow way knows which."""


class Statement(NamedTuple):
    """One of them: the name under which it is prepared, its text with `$1`, and its parameters as text."""

    name: bytes
    text: bytes
    parameters: Sequence[bytes | None]


class Call:
    """Sent, and perhaps not answered. For one thread at a time. All methods raise `psycopg.Error`."""

    def __init__(self, pgconn: PGconn, on_prepared: Callable[[bytes], None]) -> None:
        self._pgconn = pgconn
        self._on_prepared = on_prepared
        self._preparing: list[bytes] = []
        self._failure: PGresult | None = None
        self.told: bytes | None = None
        """What the fence has answered: the runs that have a cancel, as JSON, where there are any."""
        self._is_done = False
        self.is_sent = False
        """Whether all of it has left."""

    def fileno(self) -> int:
        """The socket, readable when something of the answer is there."""
        return self._pgconn.socket

    def send(self, statements: Iterable[Statement], to_prepare: Callable[[bytes], bool] | None) -> None:
        """Hand them to the system, as far as it takes them at once. Without `to_prepare` none is prepared."""
        pgconn = self._pgconn
        pgconn.enter_pipeline_mode()
        if to_prepare is None:
            for _, text, parameters in statements:
                pgconn.send_query_params(text, parameters)
        else:
            statements = list(statements)
            for name, text, _ in statements:  # all of them first: what fails keeps none from being prepared
                if to_prepare(name) and name not in self._preparing:
                    pgconn.send_prepare(name, text)
                    self._preparing.append(name)
            for name, _, parameters in statements:
                pgconn.send_query_prepared(name, parameters)
        pgconn.pipeline_sync()
        self.is_sent = pgconn.flush() == 0

    def is_answered(self) -> bool:
        """Read what is there; whether it is the whole answer."""
        pgconn = self._pgconn
        if not self.is_sent:
            self.is_sent = pgconn.flush() == 0
        if not self._is_done:
            pgconn.consume_input()
            while not self._is_done and not pgconn.is_busy():
                self._note(pgconn.get_result())
        return self.is_sent and self._is_done

    def _note(self, result: PGresult | None) -> None:
        if result is None:  # the end of one statement's answer
            if self._pgconn.status != ConnStatus.OK:
                raise OperationalError("the connection gave no answer")
        elif result.status == ExecStatus.PIPELINE_SYNC:
            self._is_done = True
            self._pgconn.exit_pipeline_mode()
        elif result.status == ExecStatus.TUPLES_OK:  # all others answer nothing
            self.told = self.told or result.get_value(0, 0)
        elif result.status == ExecStatus.COMMAND_OK:
            self._on_prepared(self._preparing.pop(0))
        elif result.status == ExecStatus.FATAL_ERROR and self._failure is None:
            self._failure = result
            if self._pgconn.status != ConnStatus.OK:
                raise errors.error_from_result(result)

    def wait(self, seconds: float | None = None) -> bool:
        """Block until it is answered, or for so long; whether it is.

        Reads before it polls: beside a busy thread the answer is there once sending has the interpreter's lock again,
        and a poll would wait for that once more.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        poll = select.poll()
        while not self.is_answered():
            if deadline is not None and time.monotonic() > deadline:
                return False
            poll.register(self._pgconn.socket, select.POLLIN | (0 if self.is_sent else select.POLLOUT))
            poll.poll(_LOOK_MILLISECONDS if deadline is None else 1_000 * max(0.0, deadline - time.monotonic()))
        return True

    def check(self) -> None:
        """After `is_answered` or `wait`: raise where it has failed; `Fenced` and `NotNew` say how."""
        if self._failure is not None:
            raise failure_of(self._failure)


def failure_of(result: PGresult) -> Exception:
    """The error of a statement that has failed."""
    code = result.error_field(DiagnosticField.SQLSTATE)
    if code == _FENCED:
        return Fenced("the worker has no row any more, or the database has failed over")
    if code == _NOT_NEW:
        return NotNew()
    return errors.error_from_result(result)
