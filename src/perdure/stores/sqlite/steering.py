"""`Steering` on SQLite: each operation a transaction that has the write lock."""

from __future__ import annotations

from collections.abc import Sequence

from ...typing import RunId
from ..steering import AuditRow, By
from .connections import Connection, Database
from .rows import in_order, texts


class SqliteSteering:
    """See `stores.steering`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pause(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        with self._database.turn.writing() as connection:
            asked = ids_of(connection, "unfinished_among", run_ids)
            connection.change("ask_for_pauses", [texts(asked)])
            _steered(connection, "pause", asked, by)
        return asked

    def resume(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        with self._database.turn.writing() as connection:
            asked = ids_of(connection, "stopped_among", run_ids)
            connection.change("end_pauses", [texts(asked)])
            connection.change("go_on_trying", [texts(asked)])
            connection.change("tell_steered", [texts(asked)])
            _steered(connection, "resume", asked, by)
        return asked

    def audited(self, run_id: RunId, most: int) -> list[AuditRow]:
        connection = self._database.spare()
        with connection.alone():
            return [AuditRow(*row) for row in in_order(connection.rows("audit_of", [run_id, most]))]


def _steered(connection: Connection, action: str, run_ids: Sequence[RunId], by: By) -> None:
    """Who did it; and what these runs were told is looked at here, as far as nobody holds them."""
    note_steered(connection, action, run_ids, by)
    connection.change("read_wakes")


def note_steered(connection: Connection, action: str, run_ids: Sequence[RunId], by: By) -> None:
    """A row of the audit for each of them."""
    connection.change("note_steered", [by.who, action, by.detail, texts(run_ids)])


def ids_of(connection: Connection, statement: str, run_ids: Sequence[RunId]) -> list[RunId]:
    """The runs among these that the statement names."""
    return [run_id for (run_id,) in connection.rows(statement, [texts(run_ids)])]
