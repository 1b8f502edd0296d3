"""`Cancels` on SQLite; see `stores.cancels`."""

from __future__ import annotations

from collections.abc import Sequence

from ...typing import RunId
from .claims import sweep
from .connections import Database
from .rows import texts


class SqliteCancels:
    """Those of one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, run_ids: Sequence[RunId]) -> list[RunId]:
        return [run_id for (run_id,) in self._database.ask("cancel_runs", texts(run_ids))]

    def sweep(self) -> list[RunId]:
        [(has_any,)] = self._database.ask("has_open_cancels")
        if not has_any:
            return []
        with self._database.spare().writing() as connection:
            return sweep(connection)

    def expire(self) -> list[RunId]:
        return [run_id for (run_id,) in self._database.ask("expire_runs")]
