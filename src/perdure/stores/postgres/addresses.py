"""Where the database is, taken from its URL: what goes to the driver, and what may be shown to people."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from ...errors import UnsupportedStoreError

_PREPARE = re.compile(r"(?<=[?&])prepare_threshold=(\w+)&?")

_DEFAULTS = {
    "application_name": "perdure",
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""Unless the URL says otherwise: a server that has silently gone is noticed within about half a minute."""


@dataclass(frozen=True, slots=True)
class Address:
    """A database. `where` names host and database and no secret; `settings` is for the driver alone.

    `prepare_threshold` None (`?prepare_threshold=none` in the URL) is for poolers that keep no prepared statements.
    """

    where: str
    settings: dict[str, str] = field(repr=False)
    prepare_threshold: int | None = 0

    def scrub(self, text: str) -> str:
        """The text of a driver's message without the passwords, should one ever be in it."""
        for name in ("password", "sslpassword"):
            if secret := self.settings.get(name):
                text = text.replace(secret, "***")
        return text


def parse_address(url: str) -> Address:
    """The address in a URL or connection string; its text is never part of an error, it may hold a password."""
    bare = _PREPARE.sub("", url).rstrip("?&")
    found = _PREPARE.search(url)
    try:
        _refuse_torn_password(bare)
        given = {name: str(value) for name, value in conninfo_to_dict(bare).items() if value is not None}
    except (ProgrammingError, UnicodeError):
        raise UnsupportedStoreError(
            "the database's URL cannot be read (not shown, it may hold a password): expected is "
            "postgresql://user:password@host:port/database; characters such as @ : / % in a password "
            "are written as %40 %3A %2F %25"
        ) from None
    given["client_encoding"] = "utf8"
    threshold = 0 if found is None else None if found[1].lower() == "none" else _number(found[1])
    return Address(_where(given), {**_DEFAULTS, **given}, threshold)


def _refuse_torn_password(url: str) -> None:
    """Of a password with a bare `@` or `/` the driver takes the end for the host or the database, which are shown."""
    place = url.partition("://")[2].partition("?")[0]
    host, _, database = place.partition("/")
    if host.count("@") > 1 or "@" in database:
        raise ProgrammingError("a bare @ or / in the password")


def _number(text: str) -> int:
    if not text.isdigit():
        raise UnsupportedStoreError(f"prepare_threshold={text} in the database's URL is neither a number nor 'none'")
    return int(text)


def _where(given: dict[str, str]) -> str:
    host = given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "the local server"
    port = given.get("port") or os.environ.get("PGPORT") or "5432"
    user = given.get("user") or os.environ.get("PGUSER")
    database = given.get("dbname") or os.environ.get("PGDATABASE") or user or "the default"
    place = f"database {database!r} on {host}" + ("" if host.startswith("/") else f" port {port}")
    return f"{place} as {user!r}" if user else place
