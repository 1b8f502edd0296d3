"""Which database: one of Django's `DATABASES`, as the URL that Perdure opens it by.

A SQLite file belongs to Perdure alone, so beside `db.sqlite3` there is `db-perdure.sqlite3`. Django's connections
attach it under the name of Perdure's schema on Postgres, so that `perdure.run_view` is the same table on both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

OF_LIBPQ: Final = (
    "service",
    "passfile",
    "sslmode",
    "sslcert",
    "sslkey",
    "sslrootcert",
    "sslcrl",
    "target_session_attrs",
    "connect_timeout",
)
"""The options of a Django connection that are the server's, not the driver's, and so are ours too."""


def is_postgres(settings: Mapping[str, Any]) -> bool:
    """Whether these settings of a database are of Postgres."""
    return "postgres" in settings["ENGINE"] or "postgis" in settings["ENGINE"]


def why_not(settings: Mapping[str, Any]) -> str | None:
    """Why Perdure cannot work on this database, or None."""
    if is_postgres(settings):
        return None
    if "sqlite" not in settings["ENGINE"] and "spatialite" not in settings["ENGINE"]:
        return f"its engine is {settings['ENGINE']}; Perdure works on SQLite and Postgres"
    name = str(settings["NAME"])
    if name in ("", ":memory:") or "mode=memory" in name:
        return 'it is a SQLite database in memory: name a file, in tests with "TEST": {"NAME": ...}'
    return None


def url_of(alias: str) -> str:
    """The URL of the database that Django knows by this alias, as its settings are now: tests change them.

    Raises `ImproperlyConfigured` where Perdure cannot work on it.
    """
    settings = connections[alias].settings_dict
    if (reason := why_not(settings)) is not None:
        raise ImproperlyConfigured(f"DATABASES[{alias!r}] cannot keep Perdure's runs: {reason}")
    if not is_postgres(settings):
        return str(file_beside(settings))
    user = quote(settings["USER"], safe="")
    if settings["PASSWORD"]:
        user += ":" + quote(settings["PASSWORD"], safe="")
    options = {name: value for name, value in settings["OPTIONS"].items() if name in OF_LIBPQ}
    if settings["HOST"]:
        options["host"] = settings["HOST"]  # as an option: it may be the directory of a socket
    if settings["PORT"]:
        options["port"] = settings["PORT"]
    before = f"{user}@" if user else ""
    return f"postgresql://{before}/{quote(settings['NAME'], safe='')}?{urlencode(options)}"


def file_beside(settings: Mapping[str, Any]) -> Path:
    """Perdure's own file, beside Django's."""
    name = Path(settings["NAME"])
    return name.with_name(f"{name.stem}-perdure{name.suffix}")


def attach(connection: Any) -> None:
    """Let this connection of Django's see Perdure's file, if it is one of SQLite: when it is made, for a connection
    that is in a transaction cannot.
    """
    if connection.vendor == "sqlite" and why_not(connection.settings_dict) is None:
        with connection.cursor() as cursor:
            cursor.execute("ATTACH DATABASE %s AS perdure", [str(file_beside(connection.settings_dict))])
