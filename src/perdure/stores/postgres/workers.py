"""`Workers` on Postgres; see `stores.workers`."""

from __future__ import annotations

from uuid import UUID

from ...typing import RunId
from ..histories import worker_of
from ..workers import Served, WorkerRow
from .batches import text_array
from .connections import Database
from .writes import Writes


class PostgresWorkers:
    """Those of one database."""

    def __init__(self, database: Database, writes: Writes) -> None:
        self._database = database
        self._writes = writes
        self._given_ids: dict[str, str] = {}

    def given_id(self, worker_id: str) -> str:
        """A UUID as this process spelled it; the server has its own way to write one."""
        return self._given_ids.get(worker_id, worker_id)

    def join(self, worker: WorkerRow, lease_seconds: float) -> None:
        self._given_ids[str(UUID(worker.worker_id))] = worker.worker_id
        [(self._writes.are_checked,)] = self._database.ask(
            "join_worker",
            {
                "worker_id": worker.worker_id,
                "hostname": worker.hostname,
                "pid": worker.pid,
                "lease_seconds": lease_seconds,
                "decisions": self._database.decisions.mark,
                "sessions": self._database.name,
                **_texts(worker.serves),
            },
        )

    def renew(self, worker_id: str) -> bool:
        with self._database.heartbeat.lock:
            return bool(self._database.heartbeat.ask("renew_worker", {"worker_id": worker_id}))

    def serve(self, worker_id: str, served: Served) -> None:
        self._database.ask("serve", {"worker_id": worker_id, **_texts(served)})

    def leave(self, worker_id: str) -> None:
        self._database.ask("leave_worker", {"worker_id": worker_id})
        self._writes.forget(worker_id)

    def all(self) -> list[WorkerRow]:
        return [
            worker_of((self.given_id(worker_id), *row), queues, names, version)
            for worker_id, *row, queues, names, version in self._database.ask("workers", {})
        ]

    def take_over(self, worker_id: str, *, seen: float | None = None) -> list[RunId] | None:
        parameters = {"worker_id": worker_id, "seen": seen}
        with self._database.turn.lock:
            self._database.turn.query("end_sessions", parameters)
            [(back,)] = self._database.turn.query("take_over_worker", parameters)
        return None if back is None else list(back)


def _texts(served: Served) -> dict[str, object]:
    return {"queues": text_array(served.queues), "names": text_array(served.names), "version": served.version}
