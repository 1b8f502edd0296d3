"""From a URL to a store. Nothing is connected to or made here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from ..errors import UnsupportedStoreError
from . import forks as forks  # here, not with the stores: its hooks are registered before those of who opens stores

if TYPE_CHECKING:
    from .protocol import Store

_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):")
_USER_PASSWORD: Final = re.compile(r"(://[^:/@?#]*):.*@", re.DOTALL)
"""Up to the last `@`: a password with unescaped characters is hidden whole, at the price of hiding more than needed."""

_NAMED_PASSWORD: Final = re.compile(r"(password\s*=\s*)(?:'(?:[^'\\]|\\.)*'?|[^&\s]*)", re.IGNORECASE)
_CONNECTION_STRING: Final = re.compile(r"\s*(?:host|hostaddr|port|dbname|user|password|passfile|service|sslmode)\s*=")
_POSSIBLE: Final = (
    "possible are a path such as perdure.db, sqlite:///relative.db, sqlite:////absolute.db and "
    "postgresql://user@host/database"
)


def open_store(url: str) -> Store:
    """The store that the URL names. Raises `UnsupportedStoreError` where it names none that can be used."""
    scheme = _SCHEME.match(url)
    name = scheme[1].lower() if scheme else "sqlite"
    if name in {"postgres", "postgresql"}:
        return _open_postgres(url)
    if name != "sqlite":
        raise UnsupportedStoreError(f"{redact(url)!r} names no store that Perdure has; {_POSSIBLE}")
    from .sqlite import SqliteStore  # lazily: a user of Postgres alone needs no working sqlite3

    return SqliteStore(_sqlite_path(url))


def redact(url: str) -> str:
    """The URL as it may be shown: without any password."""
    return _NAMED_PASSWORD.sub(r"\1***", _USER_PASSWORD.sub(r"\1:***@", url))


def _sqlite_path(url: str) -> str:
    path = url
    if _CONNECTION_STRING.match(url):
        raise UnsupportedStoreError(f"{redact(url)!r} is a connection string: write it as postgresql://; {_POSSIBLE}")
    if url.lower().startswith("sqlite:"):
        rest = url[len("sqlite:") :]
        if not rest.startswith("///"):
            raise UnsupportedStoreError(
                f"{redact(url)!r}: three slashes make a relative path, four an absolute one; {_POSSIBLE}"
            )
        path = unquote(rest[3:])
    if path in {"", ":memory:"} or path.startswith("file:") or "\0" in path:
        raise UnsupportedStoreError(
            f"{redact(url)!r} is no file: a database in memory dies with the process; {_POSSIBLE}"
        )
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
