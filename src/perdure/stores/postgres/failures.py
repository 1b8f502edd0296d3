"""What went wrong, in our own errors: every `psycopg` exception is translated here, and nowhere else.

The server's details and contexts hold users' keys and values. Neither our errors nor the driver's, which stay behind
them as their cause and so stand in tracebacks, show more than the primary message and the SQLSTATE.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import psycopg
from psycopg import errors

from ...errors import StoreError, StoreRefusedError, StoreUnavailableError, UnsupportedStoreError
from ...typing import RunId
from ..protocol import Fenced, NothingDone
from .addresses import Address

FAILURES: Final = (psycopg.Error, UnicodeError)
"""Everything that the driver raises for a statement, a value that has no UTF-8 included."""

RETRIED: Final = (errors.SerializationFailure, errors.DeadlockDetected)
"""Nothing has happened, and the same again will do: two transactions met in opposite order."""

TAKEN: Final = (errors.DuplicateTable, errors.DuplicateFunction, errors.DuplicateObject)
"""Something of the name is there."""

UNPREPARED: Final = "PD003"
"""What `check_session` says of a session that a pooler has handed out, or reset."""
FORGOTTEN: Final = "26000"
"""A prepared statement is not there any more; nothing has happened."""

_REFUSALS = ("22", "23", "54")
_STANDBY = ("25006", "55000")
_FULL = ("53100", "58030")
_LOCKED = "55P03"
_STORES_OWN = ("40", "53", "58", "55", "25", UNPREPARED, FORGOTTEN)
"""Not for what was to be written, whatever that is."""
_TOO_LARGE = "53200"
_NOT_LAID = ("3F000", "42P01", "42883", "42704")
_HINTS = (
    ("password authentication failed", "check the user and the password in the URL"),
    ("no password supplied", "put a password in the URL, or in ~/.pgpass"),
    ("no pg_hba.conf entry", "the server's pg_hba.conf does not let this user in from this machine"),
    ("does not exist", "create it (createdb, createuser), or correct the URL"),
    ("connection refused", "is the server started, and does it listen on this host and port?"),
    ("no such file or directory", "is the server started, and is this its socket directory?"),
    ("could not translate host name", "correct the host in the URL"),
    ("failed to resolve host", "correct the host in the URL"),
    ("too many clients", "the server's max_connections is used up"),
    ("remaining connection slots", "the server's max_connections is used up"),
    ("starting up", "the server is starting; it goes on by itself"),
    ("shutting down", "the server is shutting down"),
    ("timeout expired", "the server did not answer: check host, port and firewall"),
)


def translate(failure: Exception, address: Address) -> StoreError:
    """The error to raise from `failure`, which a statement has met."""
    code = getattr(failure, "sqlstate", None) or ""
    text = _text(failure, address)
    if code.startswith(_REFUSALS) or isinstance(failure, (psycopg.DataError, psycopg.IntegrityError, UnicodeError)):
        return StoreRefusedError(f"{address.where} refused a value: {text}")
    if is_standby(failure):
        return NothingDone(
            f"{address.where} is a standby or read-only: {text}. Connect to the primary "
            "(several hosts in the URL and target_session_attrs=read-write find it)"
        )
    if code in _FULL:
        return NothingDone(f"the disk of {address.where} is full, or fails: {text}. Make room there")
    if code == _LOCKED:
        return NothingDone(f"{address.where}: {text}. Another session holds a lock; pg_locks shows which")
    if code == UNPREPARED:
        return NothingDone(
            f"{address.where}: {text}. A pooler hands out sessions with settings that are not Perdure's: let it keep a "
            "session for each client (session pooling)"
        )
    if code == "42501":
        return UnsupportedStoreError(
            f"{address.where}: {text}. Let the owner of schema perdure grant this role usage on it, all on its tables "
            "and execute on its functions"
        )
    if code in _NOT_LAID:
        return UnsupportedStoreError(f"{address.where}: {text}. The schema is not laid or damaged: migrate first")
    text = f"{address.where} did not answer as it should: {text}"
    if isinstance(failure, psycopg.Error) and failure.diag.severity_nonlocalized == "ERROR":  # else the session ended
        return NothingDone(text, may_be_entry=code == _TOO_LARGE or not code.startswith(_STORES_OWN))
    return StoreUnavailableError(text)


def is_standby(failure: Exception) -> bool:
    """Whether this server takes no writes: another one may."""
    return getattr(failure, "sqlstate", None) in _STANDBY


def is_lock(failure: BaseException | None) -> bool:
    """Whether a statement has waited for a lock in vain."""
    return getattr(failure, "sqlstate", None) == _LOCKED


def locked_error(run_ids: Collection[RunId], address: Address) -> NothingDone:
    """The error for rows that another session has locked."""
    names = ", ".join(sorted(run_ids)[:3])
    return NothingDone(
        f"another session has locked the rows of {len(run_ids)} run(s) in {address.where} ({names}): an open "
        "transaction, idle in pg_stat_activity perhaps, which is to commit or to end",
        locked=run_ids,
    )


def fenced(worker_id: str) -> Fenced:
    """The error for a worker that may not write any more."""
    return Fenced(f"worker {worker_id} has no row any more, or the database has failed over")


def translate_connecting(failure: Exception, address: Address) -> StoreUnavailableError:
    """The error to raise from `failure`, when no connection came about."""
    text = _text(failure, address)
    lower = text.lower()
    hint = next((hint for sign, hint in _HINTS if sign in lower), "check the URL and the server")
    return StoreUnavailableError(f"cannot connect to {address.where}: {text}. What to do: {hint}")


def _text(failure: Exception, address: Address) -> str:
    """What may be shown of it; from now on the failure itself shows no more."""
    if not isinstance(failure, psycopg.Error):
        return getattr(failure, "reason", "") or type(failure).__name__
    primary, code = failure.diag.message_primary, failure.sqlstate
    text = str(failure) if primary is None else f"{primary} (SQLSTATE {code})"
    text = address.scrub(" ".join(text.split())) or type(failure).__name__
    failure.args = (text,)
    return text
