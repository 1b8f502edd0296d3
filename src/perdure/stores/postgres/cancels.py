"""`Cancels` on Postgres; see `stores.cancels`."""

from __future__ import annotations

from collections.abc import Sequence

from ...typing import RunId
from .batches import text_array
from .connections import Database


class PostgresCancels:
    """Those of one database."""

    def __init__(self, database: Database) -> None:
        self._ask = database.ask

    def ask(self, run_ids: Sequence[RunId]) -> list[RunId]:
        return [run_id for (run_id,) in self._ask("cancel_runs", {"run_ids": text_array(run_ids)})]

    def sweep(self) -> list[RunId]:
        [(has_any,)] = self._ask("has_open_cancels", {})
        if not has_any:
            return []
        [(swept,)] = self._ask("sweep_cancelled_runs", {})
        return list(swept)

    def expire(self) -> list[RunId]:
        [(expired,)] = self._ask("expire_runs", {})
        return list(expired)
