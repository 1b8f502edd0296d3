"""The SQLite store: `Store` over one file. What each method promises stands in `stores.protocol`."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import isinf
from pathlib import Path

from ..._entries import Entry, MessageSent, RunCreated, Verdict, entry_bytes
from ...errors import StoreRefusedError, StoreUnavailableError
from ...typing import RunId
from ..cancels import Cancels
from ..finding import Finder, Said
from ..histories import set_limits
from ..kinds import KINDS, Kind, Kinds
from ..mending import Mending
from ..protocol import NO_FLOORS, Claimed, ClaimRequest, Floor, Mail, Pulse
from ..questions import Questions
from ..runs import Runs
from ..schedules import Schedules
from ..steering import Steering
from ..within import Within
from ..workers import Workers
from .batches import apply_in_order, apply_whole, check_fence
from .cancels import SqliteCancels
from .checkpointing import Checkpointer
from .claims import hand_back, hear, take_claimable
from .connections import Database
from .keeping import SqliteKeeper
from .mending import SqliteMending
from .pace import FEW_BYTES, Committed, Pace
from .places import check_place, check_version
from .questions import SqliteQuestions
from .queues import SqliteLimits
from .rows import texts, texts_of_names
from .runs import SqliteRuns
from .schedules import SqliteSchedules
from .schema import check_schema, migrate, missing_sql
from .session import SqliteSession
from .statements import decisions
from .steering import SqliteSteering
from .transactions import SqliteTail
from .within import SqliteWithin
from .workers import SqliteWorkers

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
        self.workers: Workers = SqliteWorkers(self._database)
        self.runs: Runs = SqliteRuns(self._database)
        self.cancels: Cancels = SqliteCancels(self._database)
        self.mending: Mending = SqliteMending(self._database)
        self.within: Within = SqliteWithin(self.path)
        self.finder = Finder(self._database.find, texts)
        self.steering: Steering = SqliteSteering(self._database)
        self.said = Said(self._database.find)
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

    def session(self) -> SqliteSession:
        return SqliteSession(self._database)

    @property
    def tail(self) -> SqliteTail:
        return SqliteTail(self._database, self.path)

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
        impatient, this_thread = self._database.turn.impatient, threading.get_ident()
        impatient.add(this_thread)
        try:
            return Committed(self._commit(worker_id, entries))
        except StoreUnavailableError:  # another process writes just now
            return None
        finally:
            impatient.discard(this_thread)

    def _commit(self, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        with self._pace.measured(len(entries)):
            verdicts = apply_whole(self._database.turn, self._kinds, worker_id, entries)
            if verdicts is None:
                with self._database.turn.writing() as connection:
                    check_fence(connection, worker_id)
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
                check_fence(connection, worker_id)
                raise

    def reconcile(self, worker_id: str, known: Collection[RunId]) -> list[RunId]:
        with self._database.turn.writing() as connection:
            check_fence(connection, worker_id)
            return hand_back(connection, worker_id, known)

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
        row = self._database.ask("pulse", worker_id, texts(queues), texts_of_names(tuple(names)))[0]
        has_mail, has_claimable, has_last_attempts, next_due_at, has_overdue, has_schedules, now, *told = row
        limits, paused, has_questions = told
        due_at = None if next_due_at is None or isinf(next_due_at) else next_due_at
        has = bool(has_mail), bool(has_claimable), bool(has_last_attempts)
        told = [set_limits(json.loads(limits)), frozenset(json.loads(paused)), bool(has_questions)]
        return Pulse(*has, due_at, bool(has_overdue), bool(has_schedules), now, *told)

    def close(self) -> None:
        self._database.close()

    def abandon(self) -> None:
        self._database.abandon()

    def health(self) -> dict[str, str]:
        wal = Path(f"{self.path}-wal")
        return {
            **self.finder.health(),
            "write-ahead log bytes": str(wal.stat().st_size if wal.exists() else 0),
            "file can be written": str(os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)).lower(),
        }
