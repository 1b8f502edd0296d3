"""Bringing the schema up to date: numbered files, applied once each, in order, in one transaction.

`schema.sql` is the sum of them, for reading; a test compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import psycopg

from ...errors import UnsupportedStoreError
from ..queries import load_queries
from .connections import Connection, Database, Row


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name and its statements."""

    version: int
    name: str
    script: str


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations of this release, in order."""
    folder = files(__package__ or "") / "migrations"
    named = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(Migration(int(file.name[:4]), file.name, file.read_text(encoding="utf-8")) for file in named)


def migrate(database: Database) -> str:
    """Apply what is missing; writes nothing when nothing is. Refuses a schema that is newer than this code.

    Returns what tells this database from all others, by whatever address it is reached.
    """
    with database.spare() as connection:
        if _version(connection, database) < migrations()[-1].version:
            with connection.transaction() as cursor:
                _apply_missing(cursor, database)
        [identity] = connection.query("schema_identity", {})
    return "-".join(map(str, identity))


def _apply_missing(cursor: psycopg.Cursor[Row], database: Database) -> None:
    _run(cursor, "take_time")
    _run(cursor, "lock_schema")
    _run(cursor, "leave_bodies_unchecked")
    _run(cursor, "make_schema")
    _run(cursor, "make_migrations")
    [(version,)] = _run(cursor, "schema_version")
    _refuse_newer(version, database)
    for migration in migrations()[version:]:
        cursor.execute(migration.script.encode(), prepare=False)
        _run(cursor, "note_migration", version=migration.version, name=migration.name)


def _version(connection: Connection, database: Database) -> int:
    [state] = connection.query("schema_state", {})
    has_schema, has_migrations, user, name, may_create, owner, is_owner, may_use = state
    where = database.address.where
    if not has_schema and not may_create:
        raise UnsupportedStoreError(
            f"{where}: the role {user!r} may not create the schema perdure. Let the database's owner run "
            f'"GRANT CREATE ON DATABASE {name} TO {user}", or "CREATE SCHEMA perdure AUTHORIZATION {user}"'
        )
    if not may_use:
        raise UnsupportedStoreError(
            f"{where}: the schema perdure belongs to {owner!r}, and {user!r} may not use it. Let {owner!r} grant "
            f"what is needed, connect as {owner!r}, or use a database of its own"
        )
    version = 0
    if has_migrations:
        [(version,)] = connection.query("schema_version", {})
        _refuse_newer(version, database)
    if version < migrations()[-1].version and not is_owner:
        raise UnsupportedStoreError(
            f"{where}: the schema perdure (version {version}) belongs to {owner!r}, and {user!r} may not change it. "
            f"Start Perdure once as {owner!r}, which brings it to version {migrations()[-1].version}"
        )
    return int(version)


def _refuse_newer(version: int, database: Database) -> None:
    newest = migrations()[-1].version
    if version > newest:
        raise UnsupportedStoreError(
            f"{database.address.where} has schema version {version}, this Perdure knows {newest}: upgrade Perdure"
        )


def _run(cursor: psycopg.Cursor[Row], query: str, **parameters: object) -> list[Row]:
    cursor.execute(load_queries(__package__ or "")[query].text, parameters)
    return cursor.fetchall() if cursor.description is not None else []
