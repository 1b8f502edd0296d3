"""What a user's connection must do for a transactional step, whoever makes it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from importlib import import_module
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from ...errors import UsageError
from ...stores.tails import Statement

T = TypeVar("T")


class Ask(NamedTuple):
    """Do this; where it gives something to await, the answer is that of it. `is_whole`: not to be cut in two by a
    cancellation, which comes after it.
    """

    work: Callable[[], Any]
    is_whole: bool = False


Work = Generator[Ask, Any, T]
"""What is done on a connection, written once: driven with calls, or with await."""


class Opened(Protocol):
    """One connection for one transaction. Each method may return an awaitable where the source is async."""

    subject: Any
    """What the body gets: a connection, or a session."""

    def ask(self, statement: Statement) -> Any:
        """The rows."""

    def begin(self, *, is_exclusive: bool) -> Any:
        """Begin the transaction; `is_exclusive` takes SQLite's write lock at once."""

    def commit(self) -> Any:
        """Commit it."""

    def rollback(self) -> Any:
        """Nothing of it has happened."""

    def close(self) -> Any:
        """Give the connection back, or close it. After an error of `commit` it may be in any state."""


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
