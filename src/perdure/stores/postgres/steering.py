"""`Steering` on Postgres: one function of the database for each operation."""

from __future__ import annotations

from collections.abc import Sequence

from ...typing import RunId
from ..steering import AuditRow, By
from .batches import text_array
from .connections import Database


class PostgresSteering:
    """See `stores.steering`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pause(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        return self._steer("pause_runs", run_ids, by)

    def resume(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        return self._steer("resume_runs", run_ids, by)

    def audited(self, run_id: RunId, most: int) -> list[AuditRow]:
        return [AuditRow(*row) for row in self._database.ask("audit_of", {"run_id": run_id, "most": most})]

    def _steer(self, query: str, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        parameters = {"run_ids": text_array(run_ids), "who": by.who, "detail": by.detail}
        [(steered,)] = self._database.ask(query, parameters)
        return list(steered)
