"""`Workers` on SQLite; see `stores.workers`."""

from __future__ import annotations

import json

from ...typing import RunId
from ..histories import worker_of
from ..workers import Served, WorkerRow
from .claims import hand_back, put_back_all
from .connections import Database
from .rows import texts


class SqliteWorkers:
    """Those of one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def join(self, worker: WorkerRow, lease_seconds: float) -> None:
        with self._database.spare().writing() as connection:
            connection.change(
                "join_worker", [worker.worker_id, worker.hostname, worker.pid, lease_seconds, *_texts(worker.serves)]
            )

    def renew(self, worker_id: str) -> bool:
        with self._database.heartbeat.alone() as connection:
            return connection.change("renew_worker", [worker_id]) == 1

    def serve(self, worker_id: str, served: Served) -> None:
        with self._database.spare().writing() as connection:
            connection.change("serve", [*_texts(served), worker_id])

    def leave(self, worker_id: str) -> None:
        with self._database.spare().writing() as connection:
            hand_back(connection, worker_id, ())
            connection.change("return_wakes", [worker_id, ""])
            connection.change("remove_worker", [worker_id])

    def all(self) -> list[WorkerRow]:
        return [
            worker_of(row, json.loads(queues), json.loads(names), version)
            for *row, queues, names, version in self._database.ask("workers")
        ]

    def take_over(self, worker_id: str, *, seen: float | None = None) -> list[RunId] | None:
        with self._database.turn.writing() as connection:
            if not connection.query("take_over_worker", [worker_id, seen]):
                return None
            return put_back_all(connection, worker_id)


def _texts(served: Served) -> tuple[str, str, str | None]:
    return texts(served.queues), texts(served.names), served.version
