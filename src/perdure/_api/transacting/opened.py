"""What a user's connection must do for a transactional step, whoever makes it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from importlib import import_module
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeVar

from ...errors import UsageError
from ...stores.tails import DatabaseKind, Statement

T = TypeVar("T")


class Ask(NamedTuple):
    """Do this; where it gives something to await, the answer is that of it. `is_whole`: not to be cut in two by a
    cancellation, which comes after it.
    """

    work: Callable[[], Any]
    is_whole: bool = False


Work = Generator[Ask, Any, T]
"""What is done on a connection, written once: driven with calls, or with await."""


class Asks(Protocol):
    """A connection that can be asked."""

    def ask(self, statement: Statement) -> Any:
        """The rows, or an awaitable of them."""


class Opened(Protocol):
    """One connection for one transaction. Each method may return an awaitable where the source is async."""

    subject: Any
    """What the body gets: a connection, or a session."""

    @property
    def database(self) -> DatabaseKind:
        """What it reaches. Raises `UsageError` where runs cannot live in that."""

    def ask(self, statement: Statement) -> Any:
        """The rows."""

    def begin(self, *, is_exclusive: bool) -> Any:
        """Begin the transaction; `is_exclusive` takes SQLite's write lock at once. Raises `UsageError` where each
        statement would commit by itself.
        """

    def is_begun(self) -> bool:
        """Whether that transaction is still open, as far as this side of the connection knows."""

    def commit(self) -> Any:
        """Commit it."""

    def rollback(self) -> Any:
        """Nothing of it has happened."""

    def close(self) -> Any:
        """Give the connection back, or close it. After an error of `commit` it may be in any state."""


Complaint = Literal["autocommit", "failed", "closed"]
"""Why nothing can be written in the transaction of a user's connection."""


class Joined(Protocol):
    """A connection, or session, of the user's own, whose transaction he begins and ends."""

    is_async: bool

    @property
    def database(self) -> DatabaseKind:
        """What it reaches."""

    def ask(self, statement: Statement) -> Any:
        """The rows."""

    def complaint(self) -> Any:
        """Why not, if so, a `Complaint`; or an awaitable of it."""

    def after_commit(self, tell: Callable[[], None]) -> None:
        """Call this after the commit, where there is a hook."""


def kind_of(name: str) -> DatabaseKind:
    """A database by the name that a library gives it."""
    if name == "postgresql":
        return "postgres"
    if name == "sqlite":
        return "sqlite"
    raise UsageError(f"connection= reaches a database of the kind {name}: runs live in Postgres or SQLite")


def reaches(opened: Opened, kind: DatabaseKind) -> bool:
    """Whether it is a database of this kind."""
    try:
        return opened.database == kind
    except UsageError:
        return False


def joined_of(given: Any) -> Joined:
    """The user's connection, told by where it comes from."""
    packages = {kind.__module__.partition(".")[0] for kind in type(given).__mro__}
    modules = {"sqlite3": "sqlite", "sqlalchemy": "sqlalchemy", "psycopg": "psycopg", "django": "django"}
    module = next((module for package, module in modules.items() if package in packages), None)
    if module is None:
        raise UsageError(
            f"connection={type(given).__name__}: give a connection of psycopg 3 or sqlite3, a connection or session of "
            "SQLAlchemy 2, or django.db.connections['default']"
        )
    made: Joined = import_module(f".{module}", __package__).joined(given)
    return made


class Source(Protocol):
    """Where connections come from."""

    is_async: bool

    def open(self) -> Any:
        """An `Opened`, or an awaitable of one."""


_MODULES: Final = {"sqlalchemy": "sqlalchemy", "psycopg_pool": "psycopg", "django": "django"}
"""Of the libraries that are imported only where their objects are given."""


def source_of(given: Any) -> Source:
    """The way to have connections from what the user has given, told by where it comes from."""
    package = type(given).__module__.partition(".")[0]
    module = _MODULES.get(package) or ("connecting" if callable(given) and not isinstance(given, type) else None)
    if module is None or package == "psycopg":
        raise UsageError(
            f"Transactions({type(given).__name__} object): give where connections come from, not one of them: a "
            "function that connects (lambda: psycopg.connect(...), lambda: sqlite3.connect(...)), a pool of "
            "psycopg_pool, an engine or sessionmaker of SQLAlchemy, or django.db.connections['default']"
        )
    made: Source = import_module(f".{module}", __package__).source(given)
    return made
