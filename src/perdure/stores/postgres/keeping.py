"""`Keeper` on Postgres; see `stores.keeping`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final
from uuid import UUID

from psycopg.errors import InsufficientPrivilege

from ...errors import StoreRefusedError, UnsupportedStoreError
from ...typing import RunId
from ..keeping import OF_RUNS, SETTINGS, Expiry, Removed, Rows, RowsMeetError, Table
from ..keeping.checking import are_the_same, ids_of, insertable
from ..keeping.columns import Row, from_postgres, to_postgres
from ..keeping.filling import Filling
from ..keeping.places import with_numbers, without_numbers
from ..keeping.protocol import Archive
from ..keeping.removing import Removing, removed
from ..keeping.tables import MOVED
from .batches import text_array
from .connections import Database, Transaction
from .failures import fenced
from .writes import Writes

FAMILIES: Final = 200
ARCHIVED: Final = 50
"""So many families are removed by one transaction, and so many where each is written to a file before."""


class PostgresKeeper:
    """Of one database."""

    def __init__(self, database: Database, writes: Writes) -> None:
        self._database = database
        self._writes = writes

    def family(self, run_id: RunId, most: int) -> list[RunId]:
        found = self._database.ask("families_of", {"run_ids": text_array([run_id]), "most": most})
        return [member for _, member, _ in found]

    def rows(self, run_ids: Sequence[RunId]) -> Rows:
        with self._database.spare() as connection, connection.transaction() as transaction:
            transaction.ask("read_one_state")
            return Tables(transaction).rows(run_ids)

    def add(self, rows: Rows) -> None:
        with self._database.spare() as connection, connection.transaction() as transaction:
            Tables(transaction).add(rows)

    def newest_kept(self, name: str, keep_runs: int) -> int | None:
        for (seq,) in self._database.ask("newest_kept", {"name": name, "kept": keep_runs}):
            return int(seq)
        return None

    def remove(self, worker_id: str, expiry: Expiry, archive: Archive | None) -> Removed:
        turn = self._database.turn
        with turn.lock, turn.transaction() as transaction:
            me, expected = str(UUID(worker_id)), self._writes.expected(worker_id)
            [(has_right,)] = transaction.ask("fence", worker_id=me, expected=expected)
            if not has_right:
                raise fenced(worker_id)
            removing = Removing(
                lambda query, /, **given: _ask(transaction, query, **given),
                lambda run_ids: [run_id for (run_id,) in _ask(transaction, "lock_ended", run_ids=run_ids)],
            )
            chosen, after = removing.choose(expiry, FAMILIES if archive is None else ARCHIVED)
            if chosen:
                if archive is not None:
                    archive(Tables(transaction).rows(chosen))
                _ask(transaction, "remove_runs", run_ids=chosen)
        self._writes.count(worker_id)
        return removed(chosen, after)

    @contextmanager
    def moving_out(self) -> Iterator[Tables]:
        with self._database.spare() as connection, connection.transaction() as transaction:
            transaction.ask("take_time")
            transaction.ask("stop_writers")
            for worker in transaction.ask("workers"):
                raise StoreRefusedError(f"worker {worker[0]} (process {worker[2]} on {worker[1]}) works on it")
            yield Tables(transaction)

    @contextmanager
    def moving_in(self) -> Iterator[Tables]:
        with self._database.spare() as connection, connection.transaction() as transaction:
            transaction.ask("take_time")
            yield Tables(transaction)


class Tables:
    """Rows of whole runs, in a transaction that is open: a `Source` and a `Target`."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._filling = Filling(
            __package__ or "",
            lambda table: [name for (name,) in transaction.ask("columns_of", table=table)],
        )

    def rows(self, run_ids: Sequence[RunId]) -> Rows:
        ids = text_array(run_ids)
        return without_numbers({table.name: self._read("rows_of", table, run_ids=ids) for table in OF_RUNS})

    def settings(self) -> Rows:
        rows = {table.name: self._read("all_rows", table) for table in SETTINGS}
        stray = {table.name: self._read("stray_rows", table) for table in OF_RUNS if table.outlives}
        return without_numbers(rows | stray)

    def counts(self) -> Mapping[str, int]:
        return {table.name: self._read("count_rows", table)[0]["count"] for table in (*OF_RUNS, *SETTINGS)}

    def run_ids(self, most: int) -> Iterator[Sequence[RunId]]:
        after = 0
        while found := self._transaction.ask("runs_after", after=after, most=most):
            after = found[-1][0]
            yield [run_id for _, run_id in found]

    def has(self, rows: Rows) -> bool:
        return are_the_same(rows, dict(_ask(self._transaction, "known_among", run_ids=ids_of(rows))))

    def forget(self, settings: Rows) -> None:
        for table in SETTINGS:
            keys = text_array([row[table.key] for row in settings[table.name]])
            self._transaction.ask_text(f"forget_{table.name}", self._filling.read("forget_rows", table), keys=keys)

    def add(self, rows: Rows) -> None:
        run_ids = ids_of(rows)
        if known := _ask(self._transaction, "known_among", run_ids=run_ids):
            raise RowsMeetError(f"run {known[0][0]} is there already")
        for table, given in insertable(rows, self._filling):
            if table.name == "streams":
                records = _ask(self._transaction, "records_of", run_ids=run_ids)
                given = with_numbers(given, {(run_id, key): seq for run_id, key, seq in records})
            text = self._filling.insert(table, given[0])
            packed = json.dumps([to_postgres(row) for row in given])
            self._transaction.ask_text(f"insert_{table.name}", text, rows=packed)
        _ask(self._transaction, "tell_added", run_ids=run_ids)

    def close_for(self, other: str) -> None:
        [(*_, user, _, _, owner, is_owner, _)] = self._transaction.ask("schema_state", mark="")
        script = files(__package__ or "") / "tables" / "closing.sql"
        try:
            self._transaction.run_script(script.read_text(encoding="utf-8"))
        except InsufficientPrivilege as error:
            if is_owner:
                raise
            raise UnsupportedStoreError(
                f"the schema perdure belongs to {owner!r}, and {user!r} may not close the database, so that nothing "
                f"was moved. Let {owner!r} move it: name the database by a URL of that role"
            ) from error
        self._transaction.ask("note_migration", version=MOVED, name=f"moved to {other}")

    def _read(self, name: str, table: Table, **parameters: object) -> list[Row]:
        found = self._transaction.ask_text(f"{name} {table.name}", self._filling.read(name, table), **parameters)
        return [from_postgres(row) for (row,) in found]


def _ask(transaction: Transaction, name: str, /, **parameters: Any) -> list[Any]:
    given = {key: text_array(value) if isinstance(value, list) else value for key, value in parameters.items()}
    return transaction.ask(name, **given)
