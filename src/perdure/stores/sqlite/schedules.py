"""Schedules in a SQLite file: `Schedules` of `stores.schedules`, where it stands what each method promises."""

from __future__ import annotations

from collections.abc import Mapping

from ..kinds import Kinds
from ..protocol import Fenced
from ..schedules import DueSchedule, Firing, ScheduleRow, parameters_of, row_of, step_of
from .batches import apply_in_order
from .connections import Connection, Database, Row
from .rows import texts


class SqliteSchedules:
    """Those of one file."""

    def __init__(self, database: Database, kinds: Kinds) -> None:
        self._database = database
        self._kinds = kinds

    def now(self) -> float:
        [(now,)] = self._ask("moment", {})
        return float(now)

    def all(self) -> list[ScheduleRow]:
        return [row_of(row) for row in self._rows("schedules", {"name": None})]

    def get(self, name: str) -> ScheduleRow | None:
        for row in self._rows("schedules", {"name": name}):
            return row_of(row)
        return None

    def due(self, most: int) -> list[DueSchedule]:
        return [
            DueSchedule(row_of(row), bool(is_running), float(now))
            for *row, is_running, now in self._rows("due_schedules", {"most": most})
        ]

    def write(self, row: ScheduleRow) -> bool:
        return bool(self._ask("write_schedule", parameters_of(row)))

    def delete(self, name: str) -> bool:
        return bool(self._ask("delete_schedule", {"name": name}))

    def fire(self, worker_id: str, firing: Firing) -> bool:
        with self._database.turn.writing() as connection:
            if not connection.query("fence", [worker_id]):
                raise Fenced(f"worker {worker_id} has no row any more")
            if not connection.query("step_schedule", _in_order(connection, "step_schedule", step_of(firing))):
                return False
            if firing.cancels is not None:
                connection.query("cancel_runs", [texts([firing.cancels])])
            if firing.runs:
                apply_in_order(connection, self._kinds, worker_id, firing.runs)
        return True

    def _ask(self, name: str, parameters: Mapping[str, object]) -> list[Row]:
        connection = self._database.spare()
        with connection.alone():
            return connection.query(name, _in_order(connection, name, parameters))

    def _rows(self, name: str, parameters: Mapping[str, object]) -> list[Row]:
        connection = self._database.spare()
        with connection.alone():
            return connection.rows(name, _in_order(connection, name, parameters))


def _in_order(connection: Connection, name: str, parameters: Mapping[str, object]) -> list[object]:
    return [parameters[wanted] for wanted in connection.parameters(name)]
