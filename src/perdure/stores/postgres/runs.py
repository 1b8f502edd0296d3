"""`Runs` on Postgres; see `stores.runs`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..._entries import Arrival, Checkpoint, EndedRun, HistoryRows, Stored
from ...typing import RunId
from ..claimed import ClaimedRun
from ..histories import checkpoint_of, ended_of, histories_of, unclaimed
from ..runs import MessagesWanted, RunRow
from .batches import text_array
from .connections import Database


class PostgresRuns:
    """Those of one database. `given_id`: a worker's id as its process spelled it."""

    def __init__(self, database: Database, given_id: Callable[[str], str]) -> None:
        self._database = database
        self._ask = database.ask
        self._given_id = given_id

    def row(self, run_id: RunId) -> RunRow | None:
        for row in self._ask("run", {"run_id": run_id}):
            found = RunRow(*row)
            return found if found.worker_id is None else replace(found, worker_id=self._given_id(found.worker_id))
        return None

    def histories(self, run_ids: Sequence[RunId]) -> list[HistoryRows]:
        parameters = {"run_ids": text_array(run_ids)}
        with self._database.spare() as connection:
            checkpoints = connection.ask("history_checkpoints", parameters)
            children = connection.ask("history_children", parameters)
            cancelled = connection.ask("cancelled_among", {"run_ids": json.dumps(list(run_ids))})
        return histories_of(run_ids, checkpoints, children, cancelled)

    def checkpoints(self, run_id: RunId) -> list[Checkpoint]:
        rows = self._ask("history_checkpoints", {"run_ids": text_array([run_id])})
        return [recorded for _, recorded in map(checkpoint_of, rows) if recorded.kind != "stream"]

    def unfinished(self, after: int, most: int) -> list[tuple[int, ClaimedRun]]:
        return [unclaimed(row) for row in self._ask("unfinished_runs", {"after": after, "most": most})]

    def arrived(self, wanted: Sequence[MessagesWanted], most: int) -> list[list[Arrival]]:
        found: list[list[Arrival]] = [[] for _ in wanted]
        parameters = {"wanted": json.dumps(wanted), "most": most}
        for place, message_id, codec, body in self._ask("waiting_messages", parameters):
            found[place].append(Arrival(message_id, Stored(codec, body)))
        return found

    def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        return [ended_of(row) for row in self._ask("ended_runs", {"run_ids": text_array(run_ids)})]

    def stuck(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        rows = self._ask("stuck_runs", {"run_ids": text_array(run_ids)})
        return [EndedRun(run_id, "parked", None, reason) for run_id, reason in rows]
