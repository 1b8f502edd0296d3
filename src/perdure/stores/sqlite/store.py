"""The SQLite store: `Store` over one file. What each method promises stands in `stores.protocol`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import isinf
from pathlib import Path

from ..._entries import (
    Arrival,
    Checkpoint,
    EndedRun,
    Entry,
    HistoryRows,
    MessageSent,
    RunCreated,
    Stored,
    Verdict,
    Wait,
    entry_bytes,
)
from ...errors import StoreRefusedError, StoreUnavailableError
from ...typing import RunId
from ..finding import Finder, Said
from ..histories import checkpoint_of, histories_of, set_limits, unclaimed, worker_of
from ..kinds import KINDS, Kind, Kinds
from ..protocol import (
    NO_FLOORS,
    Claimed,
    ClaimedRun,
    ClaimRequest,
    Fenced,
    Floor,
    Mail,
    Pulse,
    RunRow,
    Served,
    WorkerRow,
)
from ..questions import Questions
from ..schedules import Schedules
from ..steering import Steering
from ..within import Within
from .batches import apply_in_order, apply_whole
from .checkpointing import Checkpointer
from .claims import hand_back, hear, put_back_all, sweep, take_claimable
from .connections import Connection, Database, Row
from .keeping import SqliteKeeper
from .pace import FEW_BYTES, Committed, Pace
from .places import check_place, check_version
from .questions import SqliteQuestions
from .queues import SqliteLimits
from .rows import in_order, texts
from .schedules import SqliteSchedules
from .schema import check_schema, migrate, missing_sql
from .session import SqliteSession
from .statements import decisions
from .steering import SqliteSteering
from .transactions import SqliteTail
from .within import SqliteWithin

OUTSIDER = ""
"""In the place of a worker's id: who makes runs and executes none."""


class SqliteStore:
    """One SQLite file, for any number of processes of one machine.

    `patience_seconds` is how long a write waits for another process's transaction before `StoreUnavailableError`.
    Making a store touches nothing; the file is made by `migrate`.
    """

    def __init__(self, path: str | Path, *, patience_seconds: float = 30.0, kinds: Iterable[Kind] = KINDS) -> None:
        self.path = Path(os.path.realpath(path))  # SQLite keeps its files beside that one, whatever leads to it
        self.lock_directory = f"{self.path}-workers"
        self.on_cancelled: Callable[[Sequence[RunId]], None] | None = None
        self._pace = Pace()
        self._kinds = Kinds(kinds)
        self._database = Database(self.path, patience_seconds, decisions(self._kinds.all))
        self._checkpointer = Checkpointer(self._database)
        self.within: Within = SqliteWithin(self.path)
        self.finder = Finder(self._find, texts)
        self.steering: Steering = SqliteSteering(self._database)
        self.said = Said(self._find)
        self.schedules: Schedules = SqliteSchedules(self._database, self._kinds)
        self.limits = SqliteLimits(self._database)
        self.questions: Questions = SqliteQuestions(self._database)
        self.keeper = SqliteKeeper(self._database, self._checkpointer)

    def __repr__(self) -> str:
        return f"SqliteStore({str(self.path)!r})"

    @property
    def on_statement(self) -> Callable[[str], None] | None:
        """Called with the name of every statement before it runs, for tests that count; None costs nothing."""
        return self._database.on_statement

    @on_statement.setter
    def on_statement(self, listener: Callable[[str], None] | None) -> None:
        self._database.on_statement = listener

    def migrate(self) -> None:
        check_version()
        check_place(self.path)
        try:
            migrate(self._database)
            Path(self.lock_directory).mkdir(exist_ok=True)
        except BaseException:
            self.close()  # what was refused is not kept open
            raise

    def check(self) -> None:
        check_version()
        check_schema(self._database)

    def missing_sql(self) -> str:
        return missing_sql(self._database)

    def create(self, entries: Sequence[RunCreated | MessageSent]) -> list[Verdict]:
        if not entries:
            return []
        verdicts = apply_whole(self._database.turn, self._kinds, OUTSIDER, entries)
        if verdicts is None:
            with self._database.turn.writing() as connection:
                verdicts = apply_in_order(connection, self._kinds, OUTSIDER, entries)
        self._checkpointer.note_commit(entries)
        if self._checkpointer.is_due:
            self._checkpointer.checkpoint()
        return verdicts

    def join(self, worker: WorkerRow, lease_seconds: float) -> None:
        with self._database.spare().writing() as connection:
            connection.change(
                "join_worker",
                [worker.worker_id, worker.hostname, worker.pid, lease_seconds, *_served_texts(worker.serves)],
            )

    def renew(self, worker_id: str) -> bool:
        with self._database.heartbeat.alone() as connection:
            return connection.change("renew_worker", [worker_id]) == 1

    def session(self) -> SqliteSession:
        return SqliteSession(self._database)

    def serve(self, worker_id: str, served: Served) -> None:
        with self._database.spare().writing() as connection:
            connection.change("serve", [*_served_texts(served), worker_id])

    @property
    def tail(self) -> SqliteTail:
        return SqliteTail(self._database, self.path)

    def leave(self, worker_id: str) -> None:
        with self._database.spare().writing() as connection:
            hand_back(connection, worker_id, ())
            connection.change("return_wakes", [worker_id, ""])
            connection.change("remove_worker", [worker_id])

    def workers(self) -> list[WorkerRow]:
        return [
            worker_of(row, json.loads(queues), json.loads(names), version)
            for *row, queues, names, version in self._ask("workers")
        ]

    def take_over(self, worker_id: str, *, seen: float | None = None) -> list[RunId] | None:
        with self._database.turn.writing() as connection:
            if not connection.query("take_over_worker", [worker_id, seen]):
                return None
            return put_back_all(connection, worker_id)

    def apply(self, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        verdicts = self._commit(worker_id, entries)
        if self._checkpointer.is_due:
            self._checkpointer.checkpoint()
        return verdicts

    def at_once(self, waiting: int) -> int:
        return waiting if self._pace.fits(waiting) and not self._checkpointer.is_due else 0

    def begin(self, worker_id: str, entries: Sequence[Entry]) -> Committed | None:
        if sum(map(entry_bytes, entries)) > FEW_BYTES:
            return None
        turn = self._database.turn
        turn.is_patient = False
        try:
            return Committed(self._commit(worker_id, entries))
        except StoreUnavailableError:  # another process writes just now
            return None
        finally:
            turn.is_patient = True

    def _commit(self, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        with self._pace.measured(len(entries)):
            verdicts = apply_whole(self._database.turn, self._kinds, worker_id, entries)
            if verdicts is None:
                with self._database.turn.writing() as connection:
                    _fence(connection, worker_id)
                    verdicts = apply_in_order(connection, self._kinds, worker_id, entries)
        self._checkpointer.note_commit(entries)
        if told := self._database.cancelled:
            cancelled = [*dict.fromkeys(told)]  # the slow way is told twice
            told.clear()
            if self.on_cancelled is not None:
                self.on_cancelled(cancelled)
        return verdicts

    may_claim_beside = False
    """There is one writer, and to wait for each other in here costs less than in the file."""

    def claim(self, worker_id: str, request: ClaimRequest, claims: Sequence[str]) -> Claimed:
        turn = self._database.turn  # of one queue the claim is one statement that writes
        with turn.alone() if len(request.slots) == 1 else turn.writing() as connection:
            try:
                return take_claimable(connection, worker_id, request, claims)
            except StoreRefusedError:
                _fence(connection, worker_id)
                raise

    def reconcile(self, worker_id: str, known: Collection[RunId]) -> list[RunId]:
        with self._database.turn.writing() as connection:
            _fence(connection, worker_id)
            return hand_back(connection, worker_id, known)

    def histories(self, run_ids: Sequence[RunId]) -> list[HistoryRows]:
        parameters = [texts(run_ids)]
        with self._database.spare().reading() as connection:
            checkpoints = connection.rows("history_checkpoints", parameters * 2)
            children = connection.rows("history_children", parameters)
            cancelled = connection.rows("cancelled_among", parameters)
        return histories_of(run_ids, in_order(checkpoints), in_order(children), cancelled)

    def unfinished(self, after: int, most: int) -> list[tuple[int, ClaimedRun]]:
        return [unclaimed(row) for row in self._ask_many("unfinished_runs", after, most)]

    def run(self, run_id: RunId) -> RunRow | None:
        for row in self._ask("run", run_id):
            return RunRow(*row)
        return None

    def arrived(self, run_id: RunId, wait: Wait, most: int) -> list[Arrival]:
        rows = in_order(self._ask_many("waiting_messages", run_id, wait.what, most))
        return [Arrival(message_id, Stored(codec, body)) for message_id, codec, body in rows]

    def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        return [
            EndedRun(run_id, state, None if codec is None else Stored(codec, body), reason)
            for run_id, state, codec, body, reason in self._ask_many("ended_runs", texts(run_ids))
        ]

    def stuck(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        return [
            EndedRun(run_id, "parked", None, reason) for run_id, reason in self._ask_many("stuck_runs", texts(run_ids))
        ]

    def cancel(self, run_id: RunId) -> bool:
        return bool(self._ask("cancel_run", run_id))

    def cancel_many(self, run_ids: Sequence[RunId]) -> list[RunId]:
        return [run_id for (run_id,) in self._ask("cancel_runs", texts(run_ids))]

    def sweep_cancelled(self) -> list[RunId]:
        [(has_any,)] = self._ask("has_open_cancels")
        if not has_any:
            return []
        with self._database.spare().writing() as connection:
            return sweep(connection)

    def expire(self) -> list[RunId]:
        return [run_id for (run_id,) in self._ask("expire_runs")]

    def hear(self, worker_id: str, heard: Collection[int]) -> Mail:
        with self._database.turn.writing() as connection:
            return hear(connection, worker_id, heard)

    def pulse(
        self,
        worker_id: str,
        queues: Collection[str],
        names: Collection[str],
        floors: Mapping[str, Floor] = NO_FLOORS,
    ) -> Pulse:
        row = self._ask("pulse", worker_id, texts(queues), texts(names))[0]
        has_mail, has_claimable, has_last_attempts, next_due_at, has_overdue, has_schedules, now, *told = row
        limits, paused, has_questions = told
        due_at = None if next_due_at is None or isinf(next_due_at) else next_due_at
        has = bool(has_mail), bool(has_claimable), bool(has_last_attempts)
        told = [set_limits(json.loads(limits)), frozenset(json.loads(paused)), bool(has_questions)]
        return Pulse(*has, due_at, bool(has_overdue), bool(has_schedules), now, *told)

    def mend(self, names: Collection[str]) -> list[RunId]:
        return [run_id for (run_id,) in self._ask("mend_runs", texts(names))]

    def reconsider(self, worker_id: str, queues: Collection[str], names: Collection[str]) -> int:
        [(has_any,)] = self._ask("has_refused_runs")
        if not has_any:
            return 0
        with self._database.spare().writing() as connection:
            connection.change("strand_refused_runs", [texts(names)])
            return connection.change("offer_refused_runs", [texts(names), texts(queues), worker_id])

    def explain_unknown(self, queues: Collection[str], names: Collection[str], reason: str) -> None:
        given = {"queues": texts(queues), "names": texts(names), "reason": reason}
        connection = self._database.spare()
        with connection.alone():
            wanted = connection.parameters("explain_unknown_runs")
            connection.change("explain_unknown_runs", [given[name] for name in wanted])

    def checkpoints(self, run_id: RunId) -> list[Checkpoint]:
        rows = in_order(self._ask_many("history_checkpoints", *[texts([run_id])] * 2))
        return [recorded for _, recorded in map(checkpoint_of, rows) if recorded.kind != "stream"]

    def close(self) -> None:
        self._database.close()

    def abandon(self) -> None:
        self._database.abandon()

    def _ask(self, statement: str, *parameters: object) -> list[Row]:
        connection = self._database.spare()
        with connection.alone():
            return connection.query(statement, parameters)

    def health(self) -> dict[str, str]:
        wal = Path(f"{self.path}-wal")
        return {
            **self.finder.health(),
            "write-ahead log bytes": str(wal.stat().st_size if wal.exists() else 0),
            "file can be written": str(os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)).lower(),
        }

    def _find(self, statement: str, parameters: Mapping[str, object]) -> list[Row]:
        connection = self._database.spare()
        with connection.alone():
            return connection.rows(statement, [parameters[name] for name in connection.parameters(statement)])

    def _ask_many(self, statement: str, *parameters: object) -> list[Row]:
        connection = self._database.spare()
        with connection.alone():
            return connection.rows(statement, parameters)


def _served_texts(served: Served) -> tuple[str, str, str | None]:
    return texts(served.queues), texts(served.names), served.version


def _fence(connection: Connection, worker_id: str) -> None:
    if not connection.query("fence", [worker_id]):
        raise Fenced(f"worker {worker_id} has no row any more")
