"""`Mending` on Postgres; see `stores.mending`."""

from __future__ import annotations

from collections.abc import Collection

from ...typing import RunId
from .batches import text_array
from .connections import Database


class PostgresMending:
    """Of one database."""

    def __init__(self, database: Database) -> None:
        self._ask = database.ask

    def mend(self, names: Collection[str]) -> list[RunId]:
        return [run_id for (run_id,) in self._ask("mend_runs", {"names": text_array(names)})]

    def reconsider(self, worker_id: str, queues: Collection[str], names: Collection[str]) -> int:
        parameters = {"worker_id": worker_id, "queues": text_array(queues), "names": text_array(names)}
        [(offered,)] = self._ask("reconsider_runs", parameters)
        return int(offered)

    def explain_unknown(self, queues: Collection[str], names: Collection[str], reason: str) -> None:
        given = {"queues": text_array(queues), "names": text_array(names)}
        self._ask("explain_unknown_runs", {**given, "reason": reason})
