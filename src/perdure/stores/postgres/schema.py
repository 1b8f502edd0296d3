"""Bringing the schema up to date: numbered files, applied once each, in order, in one transaction; and the functions.

`schema.sql` is the sum of the migrations, for reading; a test compares. Functions come with every release, beside those
of the last one (see `decisions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ...errors import UnsupportedStoreError
from .connections import Connection, Database, Transaction


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
        state = _state(connection, database)
        if state.is_behind or not state.has_decisions:
            with connection.transaction() as transaction:
                _apply_missing(transaction, database)
        elif not state.is_used:
            connection.query("note_decisions", {"mark": database.decisions.mark})
        [identity] = connection.query("schema_identity", {})
    return "-".join(map(str, identity))


def _apply_missing(transaction: Transaction, database: Database) -> None:
    mark = database.decisions.mark
    for statement in ("lock_schema", "leave_bodies_unchecked", "make_schema", "make_migrations", "make_decisions"):
        transaction.ask(statement)
    [(version, has_decisions, _)] = transaction.ask("schema_version", mark=mark)
    _refuse_newer(version, database)
    for migration in migrations()[version:]:
        transaction.run_script(migration.script)
        transaction.ask("note_migration", version=migration.version, name=migration.name)
    if not has_decisions:
        transaction.run_script(database.decisions.script)
    transaction.ask("note_decisions", mark=mark)
    for (function,) in transaction.ask("unused_decisions"):
        transaction.run_script(f"DROP FUNCTION {function}")
    transaction.ask("forget_decisions")


@dataclass(frozen=True, slots=True)
class _State:
    """What is there of the schema."""

    is_behind: bool
    has_decisions: bool = False
    is_used: bool = False


def _state(connection: Connection, database: Database) -> _State:
    [found] = connection.query("schema_state", {})
    has_schema, has_migrations, user, name, may_create, owner, is_owner, may_use = found
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
    if not has_migrations:
        version, state = 0, _State(is_behind=True)
    else:
        [(version, *decisions)] = connection.query("schema_version", {"mark": database.decisions.mark})
        _refuse_newer(version, database)
        state = _State(version < migrations()[-1].version, *decisions)
    if (state.is_behind or not state.has_decisions) and not is_owner:
        raise UnsupportedStoreError(
            f"{where}: the schema perdure (version {version}) belongs to {owner!r}, and {user!r} may not change it. "
            f"Start Perdure once as {owner!r}, which brings it to version {migrations()[-1].version} and installs this "
            "release's functions"
        )
    return state


def _refuse_newer(version: int, database: Database) -> None:
    newest = migrations()[-1].version
    if version > newest:
        raise UnsupportedStoreError(
            f"{database.address.where} has schema version {version}, this Perdure knows {newest}: upgrade Perdure"
        )
