"""Schedules in a SQLite file: `Schedules` of `stores.schedules`, where it stands what each method promises."""

from __future__ import annotations

from ..kinds import Kinds
from ..schedules import DueSchedule, Firing, ScheduleRow, parameters_of, row_of, step_of
from .batches import apply_in_order, check_fence
from .connections import Database
from .rows import texts


class SqliteSchedules:
    """Those of one file."""

    def __init__(self, database: Database, kinds: Kinds) -> None:
        self._database = database
        self._kinds = kinds

    def now(self) -> float:
        [(now,)] = self._database.ask("moment")
        return float(now)

    def all(self) -> list[ScheduleRow]:
        return [row_of(row) for row in self._database.find("schedules", {"name": None})]

    def get(self, name: str) -> ScheduleRow | None:
        for row in self._database.find("schedules", {"name": name}):
            return row_of(row)
        return None

    def due(self, most: int) -> list[DueSchedule]:
        return [
            DueSchedule(row_of(row), bool(is_running), float(now))
            for *row, is_running, now in self._database.find("due_schedules", {"most": most})
        ]

    def write(self, row: ScheduleRow) -> bool:
        with self._database.spare().alone() as connection:
            return bool(connection.query("write_schedule", connection.arranged("write_schedule", parameters_of(row))))

    def delete(self, name: str) -> bool:
        return bool(self._database.ask("delete_schedule", name))

    def fire(self, worker_id: str, firing: Firing) -> bool:
        with self._database.turn.writing() as connection:
            check_fence(connection, worker_id)
            if not connection.query("step_schedule", connection.arranged("step_schedule", step_of(firing))):
                return False
            if firing.cancels is not None:
                connection.query("cancel_runs", [texts([firing.cancels])])
            if firing.runs:
                apply_in_order(connection, self._kinds, worker_id, firing.runs)
        return True
