"""Bringing the schema up to date: numbered files, applied once each, in order, in one transaction; and the functions.

`schema.sql` is the sum of the migrations, for reading; a test compares. Functions come with every release, beside those
of the last one (see `decisions`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from ...errors import UnsupportedStoreError
from ..keeping.tables import MOVED
from ..protocol import NothingDone
from .connections import Connection, Database, Transaction
from .failures import RETRIED, TAKEN, is_lock

PATIENCE_SECONDS: Final = 60.0
"""So long a migration is tried where others are in the tables, with a backup perhaps."""
PAUSE_SECONDS: Final = 0.5
"""Between two tries: whoever has waited behind it passes."""
LOCKING: Final = ("wait_a_moment", "lock_tables")
"""What comes before a migration of tables that others use."""


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
        if _is_behind(connection, database):
            _catch_up(connection, database)
        [identity] = connection.query("schema_identity", {})
    return "-".join(map(str, identity))


def missing_sql(database: Database) -> str:
    """What `migrate` would run on this database, as a script."""
    decisions = database.decisions
    with database.spare() as connection:
        [found] = connection.query("schema_state", {"mark": decisions.mark})
        version = 0
        if found[1] and found[-1]:
            [(version,)] = connection.query("schema_version", {})
        _refuse_newer(version, database)
    missing = migrations()[version:]
    if not missing and found[2]:
        return ""
    parts = ["BEGIN;", f"{decisions.text('leave_bodies_unchecked')};"]
    if version and missing:
        parts += [f"{decisions.text(name)};" for name in LOCKING]
    parts += [f"{decisions.text(name)};" for name in ("make_schema", "make_migrations", "make_decisions")]
    for migration in missing:
        note = decisions.text("note_migration").replace("%(version)s", str(migration.version))
        parts += [f"-- {migration.name}", migration.script, f"{note.replace('%(name)s', repr(migration.name))};"]
    if not found[2]:
        parts += [decisions.script, f"{decisions.text('note_decisions').replace('%(mark)s', repr(decisions.mark))};"]
    return "\n".join([*parts, "COMMIT;", ""])


def check_schema(database: Database) -> str:
    """Raise where the schema is not there, may not be used, or is not exactly this release's; makes nothing. Returns
    what tells this database from all others.
    """
    newest = migrations()[-1].version
    with database.spare() as connection:
        [found] = connection.query("schema_state", {"mark": database.decisions.mark})
        version = 0
        if found[1] and found[-1]:
            [(version,)] = connection.query("schema_version", {})
        _refuse_newer(version, database)
        if found[0] and not found[-1]:
            _is_behind(connection, database)
        if version < newest:
            raise UnsupportedStoreError(
                f"{database.address.where} has "
                + (f"schema version {version}" if version else "no tables of Perdure")
                + f", this Perdure knows version {newest}: start a worker of this release, or run `perdure migrate`"
            )
        [identity] = connection.query("schema_identity", {})
    return "-".join(map(str, identity))


def _catch_up(connection: Connection, database: Database) -> None:
    """Workers of another release go on meanwhile. Who waits for a table keeps everybody from it who comes later: so it
    waits for a moment only, and then all of it is tried again.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with connection.transaction() as transaction:
                _apply_missing(transaction, database)
        except NothingDone as error:
            if isinstance(error.__cause__, TAKEN):
                raise UnsupportedStoreError(
                    f"{database.address.where}: the schema perdure has something that no release of Perdure has made: "
                    f"{str(error.__cause__).strip()}. Rename that schema, or give Perdure another database"
                ) from error
            is_met = is_lock(error.__cause__) or isinstance(error.__cause__, RETRIED)
            if not is_met or time.monotonic() > until:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _apply_missing(transaction: Transaction, database: Database) -> None:
    mark = database.decisions.mark
    for statement in (
        "take_time",
        "lock_schema",
        "leave_bodies_unchecked",
        "make_schema",
        "make_migrations",
        "make_decisions",
    ):
        transaction.ask(statement)
    [(version,)] = transaction.ask("schema_version")
    _refuse_newer(version, database)
    missing = migrations()[version:]
    for statement in LOCKING if version and missing else ():
        transaction.ask(statement)
    for migration in missing:
        transaction.run_script(migration.script)
        transaction.ask("note_migration", version=migration.version, name=migration.name)
    if not transaction.ask("functions_of", mark=mark):  # else another process was here first
        transaction.run_script(database.decisions.script)
        transaction.ask("note_decisions", mark=mark)
    for (old,) in transaction.ask("forget_decisions", mark=mark):
        for (removal,) in transaction.ask("functions_of", mark=old):
            transaction.run_script(removal)


def _is_behind(connection: Connection, database: Database) -> bool:
    """Whether something is to be done; raises where this role may not do it, or need not try."""
    [found] = connection.query("schema_state", {"mark": database.decisions.mark})
    has_schema, has_migrations, has_decisions, user, name, may_create, owner, is_owner, may_use = found
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
    version, newest = 0, migrations()[-1].version
    if has_migrations:
        [(version,)] = connection.query("schema_version", {})
        _refuse_newer(version, database)
    is_behind = version < newest or not has_decisions
    if is_behind and not is_owner:
        raise UnsupportedStoreError(
            f"{where}: the schema perdure (version {version}) belongs to {owner!r}, and {user!r} may not change it. "
            f"Start Perdure once as {owner!r}, which brings it to version {newest} with the functions of this release"
        )
    return is_behind


def _refuse_newer(version: int, database: Database) -> None:
    newest = migrations()[-1].version
    if version == MOVED:
        raise UnsupportedStoreError(
            f"everything in {database.address.where} was moved to another database: use that one's URL (its name is "
            "in the table migrations)"
        )
    if version > newest:
        raise UnsupportedStoreError(
            f"{database.address.where} has schema version {version}, this Perdure knows {newest}: upgrade Perdure"
        )
