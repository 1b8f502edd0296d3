"""Bringing the schema up to date: numbered files, applied once each, in order, in one transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from ...errors import StoreUnavailableError, UnsupportedStoreError
from ..keeping.tables import MOVED
from .connections import Connection, Database
from .statements import split, statements

APPLICATION: Final = 0x50455244
"""Marks a file as ours (`mark_application`)."""

_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name and its statements."""

    version: int
    name: str
    script: tuple[str, ...]


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations of this release, in order."""
    folder = files(__package__ or "") / "migrations"
    named = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(
        Migration(int(file.name[:4]), file.name, tuple(split(file.read_text(encoding="utf-8")))) for file in named
    )


def migrate(database: Database) -> None:
    """Apply what is missing. Refuses a file of somebody else, and a schema newer than this code.

    On a connection without triggers: SQLite takes no column away that one names, to be made anew perhaps.
    """
    known = migrations()
    _use_wal(database)
    with database.spare().reading() as connection:
        version = _version(connection, database)
    if version == known[-1].version:
        return
    with database.spare().writing() as connection:
        version = _version(connection, database)
        if version == 0:
            connection.query("mark_application")
        for migration in known[version:]:
            connection.run_script(migration.script)
            connection.change("note_migration", [migration.version, migration.name])


def missing_sql(database: Database) -> str:
    """What `migrate` would run on this file, as a script; of a file that is not there all of it."""
    version = 0
    if database.path.exists():
        with database.spare().reading() as connection:
            version = _version(connection, database)
    missing = migrations()[version:]
    if not missing:
        return ""
    known = statements()
    parts = ["" if version else f"{known['mark_application'].text};\n{known['use_wal'].text};\n", "BEGIN;\n"]
    for migration in missing:
        parts += [f"-- {migration.name}\n", *migration.script]
        note = known["note_migration"].text.replace("?", str(migration.version), 1).replace("?", f"'{migration.name}'")
        parts.append(f"{note};\n")
    return "".join([*parts, "COMMIT;\n"])


def check_schema(database: Database) -> None:
    """Raise where the file is not there, not ours, or not of exactly this release's schema; makes nothing."""
    newest = migrations()[-1].version
    try:
        is_there = database.path.exists()
    except OSError as error:  # of a directory on the way to it
        raise UnsupportedStoreError(
            f"the database {database.path} cannot be looked at ({error.strerror}): this process needs to read and "
            "write the file, the files beside it (-wal, -shm) and their directory"
        ) from error
    if not is_there:
        raise UnsupportedStoreError(
            f"there is no database {database.path}: give the file that the workers use (by --url or PERDURE_URL on a "
            "command line), or make it with `perdure migrate`"
        )
    with database.spare().reading() as connection:
        version = _version(connection, database)
    if version < newest:
        raise UnsupportedStoreError(
            f"the database {database.path} has schema version {version}, this Perdure knows {newest}: start a worker "
            "of this release, or run `perdure migrate`"
        )


def _version(connection: Connection, database: Database) -> int:
    [(application,)] = connection.query("application")
    [(tables,)] = connection.query("count_tables")
    if tables and application != APPLICATION:
        raise UnsupportedStoreError(
            f"{database.path} is the SQLite database of something else: give Perdure a file of its own"
        )
    [(has_migrations,)] = connection.query("has_migrations")
    if not has_migrations:
        return 0
    [(version,)] = connection.query("schema_version")
    newest = migrations()[-1].version
    if version == MOVED:
        raise UnsupportedStoreError(
            f"everything in {database.path} was moved to another database: use that one's URL (its name is in the "
            "table migrations)"
        )
    if version > newest:
        raise UnsupportedStoreError(
            f"the database {database.path} has schema version {version}, this Perdure knows {newest}: upgrade Perdure"
        )
    return int(version)


def _use_wal(database: Database) -> None:
    """Switching the mode does not wait for others as other statements do, so ask again until the patience is over."""
    deadline = time.monotonic() + database.patience_seconds
    while True:
        try:
            with database.spare().alone() as connection:
                [(tables,)] = connection.query("count_tables")
                [(application,)] = connection.query("application")
                if tables and application != APPLICATION:
                    return  # refused in a moment, and not to be changed before
                [(mode,)] = connection.query("use_wal")
        except StoreUnavailableError as failure:
            is_busy = getattr(failure.__cause__, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            if not is_busy or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            break
    if mode != "wal":
        raise UnsupportedStoreError(f"{database.path} cannot be used in WAL mode here (it stays in mode {mode!r})")
