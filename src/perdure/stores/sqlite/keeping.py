"""`Keeper` on SQLite; see `stores.keeping`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final

from ...errors import StoreRefusedError
from ...typing import RunId
from ..keeping import OF_RUNS, SETTINGS, Expiry, Removed, Rows, RowsMeetError, Table
from ..keeping.checking import are_the_same, ids_of, insertable
from ..keeping.columns import Row, from_sqlite, to_sqlite
from ..keeping.filling import Filling
from ..keeping.places import with_numbers, without_numbers
from ..keeping.protocol import Archive
from ..keeping.removing import Removing, removed
from ..keeping.tables import MOVED
from .batches import check_fence
from .checkpointing import Checkpointer
from .connections import Connection, Database
from .rows import texts
from .statements import Statement, split

FAMILIES: Final = 50
ARCHIVED: Final = 20
"""So many families are removed by one transaction, and so many where each is written to a file before: nobody else can
write meanwhile.
"""


class SqliteKeeper:
    """Of one file."""

    def __init__(self, database: Database, checkpointer: Checkpointer) -> None:
        self._database = database
        self._checkpointer = checkpointer

    def family(self, run_id: RunId, most: int) -> list[RunId]:
        with self._database.spare().reading() as connection:
            return [member for _, member, _ in _ask(connection, "families_of", run_ids=[run_id], most=most)]

    def rows(self, run_ids: Sequence[RunId]) -> Rows:
        with self._database.spare().reading() as connection:
            return Tables(connection).rows(run_ids)

    def add(self, rows: Rows) -> None:
        with self._database.spare().writing() as connection:
            Tables(connection).add(rows)

    def newest_kept(self, name: str, keep_runs: int) -> int | None:
        with self._database.spare().alone() as connection:
            for (seq,) in _ask(connection, "newest_kept", name=name, kept=keep_runs):
                return int(seq)
        return None

    def remove(self, worker_id: str, expiry: Expiry, archive: Archive | None) -> Removed:
        with self._database.turn.writing() as connection:
            check_fence(connection, worker_id)
            removing = Removing(lambda query, /, **given: _ask(connection, query, **given), lambda run_ids: run_ids)
            chosen, after = removing.choose(expiry, FAMILIES if archive is None else ARCHIVED)
            if chosen:
                if archive is not None:
                    archive(Tables(connection).rows(chosen))
                connection.change("remove_runs", [texts(chosen)])
        if chosen:
            self._checkpointer.note_many()
        return removed(chosen, after)

    @contextmanager
    def moving_out(self) -> Iterator[Tables]:
        with self._database.turn.writing() as connection:
            for worker in connection.query("workers"):
                raise StoreRefusedError(f"worker {worker[0]} (process {worker[2]} on {worker[1]}) works on it")
            yield Tables(connection)

    @contextmanager
    def moving_in(self) -> Iterator[Tables]:
        with self._database.turn.writing() as connection:
            yield Tables(connection)


class Tables:
    """Rows of whole runs, in a transaction that is open: a `Source` and a `Target`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._filling = Filling(
            __package__ or "",
            lambda table: [name for (name,) in _ask(connection, "columns_of", table=table)],
        )

    def rows(self, run_ids: Sequence[RunId]) -> Rows:
        return without_numbers({table.name: self._read("rows_of", table, [texts(run_ids)]) for table in OF_RUNS})

    def settings(self) -> Rows:
        rows = {table.name: self._read("all_rows", table) for table in SETTINGS}
        stray = {table.name: self._read("stray_rows", table) for table in OF_RUNS if table.outlives}
        return without_numbers(rows | stray)

    def counts(self) -> Mapping[str, int]:
        return {table.name: self._read("count_rows", table)[0]["count"] for table in (*OF_RUNS, *SETTINGS)}

    def run_ids(self, most: int) -> Iterator[Sequence[RunId]]:
        after = 0
        while found := _ask(self._connection, "runs_after", after=after, most=most):
            after = max(seq for seq, _ in found)
            yield [run_id for _, run_id in sorted(found)]

    def has(self, rows: Rows) -> bool:
        return are_the_same(rows, dict(_ask(self._connection, "known_among", run_ids=ids_of(rows))))

    def forget(self, settings: Rows) -> None:
        for table in SETTINGS:
            text = self._filling.read("forget_rows", table).replace(":keys", "?")
            keys = texts([row[table.key] for row in settings[table.name]])
            self._connection.ask(Statement(f"forget_{table.name}", text, ("keys",)), [keys])

    def add(self, rows: Rows) -> None:
        run_ids = ids_of(rows)
        if known := _ask(self._connection, "known_among", run_ids=run_ids):
            raise RowsMeetError(f"run {known[0][0]} is there already")
        for table, given in insertable(rows, self._filling):
            if table.name == "streams":
                records = _ask(self._connection, "records_of", run_ids=run_ids)
                given = with_numbers(given, {(run_id, key): seq for run_id, key, seq in records})
            text = self._filling.insert(table, given[0])
            statement = Statement(f"insert_{table.name}", text.replace(":rows", "?"), ("rows",))
            self._connection.ask(statement, [json.dumps([to_sqlite(row, table.name) for row in given])])
        _change(self._connection, "tell_added", run_ids=run_ids)

    def close_for(self, other: str) -> None:
        script = files(__package__ or "") / "tables" / "closing.sql"
        self._connection.run_script(split(script.read_text(encoding="utf-8")))
        self._connection.change("note_migration", [MOVED, f"moved to {other}"])

    def _read(self, name: str, table: Table, parameters: Sequence[object] = ()) -> list[Row]:
        try:
            return self._unpacked(name, table, parameters)
        except StoreRefusedError as error:
            if name != "rows_of" or not isinstance(error.__cause__, sqlite3.DataError):
                raise
            return self._unpacked("large_rows_of", table, parameters)

    def _unpacked(self, name: str, table: Table, parameters: Sequence[object]) -> list[Row]:
        text = self._filling.read(name, table).replace(":run_ids", "?")
        statement = Statement(f"{name} {table.name}", text, ("run_ids",) if parameters else ())
        packed = self._connection.ask(statement, parameters)
        return [from_sqlite(row, table.name) for (rows,) in packed for row in json.loads(rows)]


def _given(connection: Connection, name: str, parameters: Mapping[str, Any]) -> list[object]:
    packed = {key: texts(value) if isinstance(value, list) else value for key, value in parameters.items()}
    return connection.arranged(name, packed)


def _ask(connection: Connection, name: str, /, **parameters: Any) -> list[Any]:
    return connection.rows(name, _given(connection, name, parameters))


def _change(connection: Connection, name: str, /, **parameters: Any) -> None:
    connection.change(name, _given(connection, name, parameters))
