"""From a URL to a store. Nothing is connected to or made here."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from ..errors import UnsupportedStoreError
from . import forks as forks  # here, not with the stores: its hooks are registered before those of who opens stores

if TYPE_CHECKING:
    from .protocol import Store

_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):")
_USER_PASSWORD: Final = re.compile(r"(:/*[^:/@?#]*):.*@", re.DOTALL)
"""Up to the last `@`: a password with unescaped characters is hidden whole, at the price of hiding more than needed."""

_NAMED_PASSWORD: Final = re.compile(r"(password\s*=\s*)(?:'(?:[^'\\]|\\.)*'?|[^&\s]*)", re.IGNORECASE)
_CONNECTION_STRING: Final = re.compile(r"\s*(?:host|hostaddr|port|dbname|user|password|passfile|service|sslmode)\s*=")
_POSSIBLE: Final = (
    "possible are a path such as perdure.db, sqlite:///relative.db, sqlite:////absolute.db and "
    "postgresql://user@host/database"
)


def open_store(url: str) -> Store:
    """The store that the URL names. Raises `UnsupportedStoreError` where it names none that can be used."""
    kind, place = read_url(url)
    if kind == "postgres":
        return _open_postgres(place)
    from .sqlite import SqliteStore  # lazily: a user of Postgres alone needs no working sqlite3

    return SqliteStore(place)


def read_url(url: str) -> tuple[Literal["postgres", "sqlite"], str]:
    """Which kind of database, and the URL or path for its store. Raises `UnsupportedStoreError` where it is neither.

    Of a URL for SQLAlchemy the driver is dropped (`postgresql+psycopg://`, `sqlite+pysqlite:///`): ours is another.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        return "sqlite", _sqlite_path(url)
    name, rest = scheme[1].lower().partition("+")[0], url[scheme.end() :]
    if name in {"postgres", "postgresql"}:
        if not rest.startswith("//"):
            raise UnsupportedStoreError(f"{redact(url)!r}: two slashes follow the colon; {_POSSIBLE}")
        return "postgres", f"postgresql:{rest}"
    if name != "sqlite":
        raise UnsupportedStoreError(f"{redact(url)!r} names no store that Perdure has; {_POSSIBLE}")
    if not rest.startswith("///"):
        raise UnsupportedStoreError(
            f"{redact(url)!r}: three slashes make a relative path, four an absolute one; {_POSSIBLE}"
        )
    if "?" in rest or "#" in rest:
        raise UnsupportedStoreError(
            f"{redact(url)!r}: a SQLite URL takes no options, and ? and # in a file's name are written as %3F and %23"
        )
    return "sqlite", _sqlite_path(unquote(rest[3:]), url)


def is_same(url: str, other: str) -> bool:
    """Whether both name one database, as far as the texts tell. Raises as `read_url`."""
    (kind, place), (other_kind, other_place) = read_url(url), read_url(other)
    if kind != other_kind:
        return False
    if kind == "sqlite":
        return os.path.realpath(place) == os.path.realpath(other_place)
    return _where(place) == _where(other_place)


def _where(url: str) -> tuple[object, ...]:
    """The server and the database of a Postgres URL, whoever connects."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None  # connecting says what is wrong with it
    return parts.hostname, port or 5432, parts.path, parse_qs(parts.query).get("host")


def redact(url: str) -> str:
    """The URL as it may be shown: without any password."""
    return _NAMED_PASSWORD.sub(r"\1***", _USER_PASSWORD.sub(r"\1:***@", url))


def _sqlite_path(path: str, url: str = "") -> str:
    if not url and _CONNECTION_STRING.match(path):
        raise UnsupportedStoreError(f"{redact(path)!r} is a connection string: write it as postgresql://; {_POSSIBLE}")
    if path in {"", ":memory:"} or path.startswith("file:") or "\0" in path:
        raise UnsupportedStoreError(
            f"{redact(url or path)!r} is no file: a database in memory dies with the process; {_POSSIBLE}"
        )
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UnsupportedStoreError(f"{path!r} is no text that SQLite takes for a file's name; {_POSSIBLE}") from error
    return path


def _open_postgres(url: str) -> Store:
    try:
        from .postgres import PostgresStore  # lazily: psycopg is an extra
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "psycopg":
            raise
        raise UnsupportedStoreError(
            f"{redact(url)!r} needs the Postgres driver: pip install perdure[postgres]"
        ) from missing
    return PostgresStore(url)
