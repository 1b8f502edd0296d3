"""`Mending` on SQLite; see `stores.mending`."""

from __future__ import annotations

from collections.abc import Collection

from ...typing import RunId
from .connections import Database
from .rows import texts


class SqliteMending:
    """Of one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mend(self, names: Collection[str]) -> list[RunId]:
        return [run_id for (run_id,) in self._database.ask("mend_runs", texts(names))]

    def reconsider(self, worker_id: str, queues: Collection[str], names: Collection[str]) -> int:
        [(has_any,)] = self._database.ask("has_refused_runs")
        if not has_any:
            return 0
        with self._database.spare().writing() as connection:
            connection.change("strand_refused_runs", [texts(names)])
            return connection.change("offer_refused_runs", [texts(names), texts(queues), worker_id])

    def explain_unknown(self, queues: Collection[str], names: Collection[str], reason: str) -> None:
        given = {"queues": texts(queues), "names": texts(names), "reason": reason}
        with self._database.spare().alone() as connection:
            connection.change("explain_unknown_runs", connection.arranged("explain_unknown_runs", given))
