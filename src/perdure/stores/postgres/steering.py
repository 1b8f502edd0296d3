"""`Steering` on Postgres: one function of the database for each operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..._steering import AuditRow, By, Deleted, Fork, ForkVerdict, Past, Restart, Undoer
from ...typing import RunId
from ..pasts import child_of, past_of, record_of
from .batches import text_array
from .connections import Database


class PostgresSteering:
    """See `stores.steering`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cancel(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        return [run_id for (run_id,) in self._ask("steer_cancels", by, run_ids=text_array(run_ids))]

    def pause(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        [(steered,)] = self._ask("pause_runs", by, run_ids=text_array(run_ids))
        return list(steered)

    def resume(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        [(steered,)] = self._ask("resume_runs", by, run_ids=text_array(run_ids))
        return list(steered)

    def past(self, run_id: RunId) -> Past | None:
        asked = {"run_id": run_id}
        for row in self._database.ask("past_run", asked):  # what changes in between, `restart` finds changed
            records = [record_of(record) for record in self._database.ask("past_records", asked)]
            return past_of(row, records, [child_of(child) for child in self._database.ask("past_children", asked)])
        return None

    def undoer(self, run_id: RunId) -> Undoer | None:
        for row in self._database.ask("past_undoer", {"undoer": run_id}):
            return Undoer(*row)
        return None

    def restart(self, plans: Sequence[Restart], action: str, by: By) -> bool:
        [(is_done,)] = self._ask("restart_runs", by, plans=msgspec.json.encode(plans).decode(), action=action)
        return bool(is_done)

    def fork(self, plan: Fork, by: By) -> ForkVerdict:
        [(verdict,)] = self._ask("fork_run", by, plan=msgspec.json.encode(plan).decode())
        return verdict  # type: ignore[no-any-return]  # as the function says

    def delete(self, run_ids: Sequence[RunId], by: By) -> Deleted:
        [(deleted, total)] = self._ask("delete_runs", by, run_ids=text_array(run_ids))
        return Deleted(list(deleted), total)

    def audited(self, run_id: RunId, most: int) -> list[AuditRow]:
        return [AuditRow(*row) for row in self._database.ask("audit_of", {"run_id": run_id, "most": most})]

    def _ask(self, query: str, by: By, **parameters: object) -> Sequence[Sequence[Any]]:
        return self._database.ask(query, {**parameters, "who": by.who, "detail": by.detail})
