"""`Runs` on SQLite; see `stores.runs`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..._entries import Arrival, Checkpoint, EndedRun, HistoryRows, Stored
from ...typing import RunId
from ..claimed import ClaimedRun
from ..histories import checkpoint_of, ended_of, histories_of, unclaimed
from ..runs import MessagesWanted, RunRow
from .connections import Database
from .rows import in_order, texts


class SqliteRuns:
    """Those of one file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = database.rows

    def row(self, run_id: RunId) -> RunRow | None:
        for row in self._database.ask("run", run_id):
            return RunRow(*row)
        return None

    def histories(self, run_ids: Sequence[RunId]) -> list[HistoryRows]:
        parameters = [texts(run_ids)]
        with self._database.spare().reading() as connection:
            checkpoints = connection.rows("history_checkpoints", parameters * 2)
            children = connection.rows("history_children", parameters)
            cancelled = connection.rows("cancelled_among", parameters)
        return histories_of(run_ids, in_order(checkpoints), in_order(children), cancelled)

    def checkpoints(self, run_id: RunId) -> list[Checkpoint]:
        rows = in_order(self._rows("history_checkpoints", *[texts([run_id])] * 2))
        return [recorded for _, recorded in map(checkpoint_of, rows) if recorded.kind != "stream"]

    def unfinished(self, after: int, most: int) -> list[tuple[int, ClaimedRun]]:
        return [unclaimed(row) for row in self._rows("unfinished_runs", after, most)]

    def arrived(self, wanted: Sequence[MessagesWanted], most: int) -> list[list[Arrival]]:
        found: list[list[Arrival]] = [[] for _ in wanted]
        for place, message_id, codec, body in in_order(self._rows("waiting_messages", json.dumps(wanted), most)):
            found[place].append(Arrival(message_id, Stored(codec, body)))
        return found

    def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        return [ended_of(row) for row in self._rows("ended_runs", texts(run_ids))]

    def stuck(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        return [EndedRun(run_id, "parked", None, reason) for run_id, reason in self._rows("stuck_runs", texts(run_ids))]
