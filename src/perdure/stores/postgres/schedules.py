"""Schedules in a Postgres database: `Schedules` of `stores.schedules`, where it stands what each method promises."""

from __future__ import annotations

from uuid import UUID

from ..kinds import Kinds
from ..schedules import DueSchedule, Firing, ScheduleRow, parameters_of, row_of, step_of
from .batches import apply_behind_fence, text_array
from .calls import NotNew
from .connections import Database, Transaction
from .failures import fenced
from .writes import Writes


class PostgresSchedules:
    """Those of one database."""

    def __init__(self, database: Database, kinds: Kinds, writes: Writes) -> None:
        self._database = database
        self._kinds = kinds
        self._writes = writes

    def now(self) -> float:
        [(now,)] = self._database.ask("moment", {})
        return float(now)

    def all(self) -> list[ScheduleRow]:
        return [row_of(row) for row in self._database.ask("schedules", {"name": None})]

    def get(self, name: str) -> ScheduleRow | None:
        for row in self._database.ask("schedules", {"name": name}):
            return row_of(row)
        return None

    def due(self, most: int) -> list[DueSchedule]:
        return [
            DueSchedule(row_of(row), is_running, now)
            for *row, is_running, now in self._database.ask("due_schedules", {"most": most})
        ]

    def write(self, row: ScheduleRow) -> bool:
        return bool(self._database.ask("write_schedule", parameters_of(row)))

    def delete(self, name: str) -> bool:
        return bool(self._database.ask("delete_schedule", {"name": name}))

    def fire(self, worker_id: str, firing: Firing) -> bool:
        turn = self._database.turn
        try:
            with turn.lock, turn.transaction() as transaction:
                is_done = self._fire(transaction, worker_id, firing)
        except NotNew:  # somebody makes one of the runs just now: whoever looks again finds it
            return False
        self._writes.count(worker_id)
        return is_done

    def _fire(self, transaction: Transaction, worker_id: str, firing: Firing) -> bool:
        me = str(UUID(worker_id))
        [(has_right,)] = transaction.ask("fence", worker_id=me, expected=self._writes.expected(worker_id))
        if not has_right:
            raise fenced(worker_id)
        if not transaction.ask("step_schedule", **step_of(firing)):
            return False
        if firing.cancels is not None:
            transaction.ask("cancel_runs", run_ids=text_array([firing.cancels]))
        if firing.runs:
            apply_behind_fence(transaction, self._database.decisions, self._kinds, me, firing.runs)
        return True
