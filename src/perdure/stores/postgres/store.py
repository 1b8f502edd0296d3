"""The Postgres store: `Store` over one database. What each method promises stands in `stores.protocol`.

Every decision is one function in the database, called in one round trip; `migrations/` has them with their reasons.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final
from uuid import UUID

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
)
from ...errors import StoreUnavailableError
from ...typing import RunId
from ..finding import Finder, Said
from ..histories import checkpoint_of, claimed_rows, histories_of, set_limits, unclaimed, worker_of
from ..kinds import KINDS, Kind, Kinds
from ..protocol import (
    NO_FLOORS,
    Claimed,
    ClaimedRun,
    ClaimRequest,
    Fenced,
    Floor,
    Mail,
    NothingDone,
    Pulse,
    RunRow,
    Served,
    Told,
    WorkerRow,
)
from ..schedules import Schedules
from ..steering import Steering
from ..within import Within
from .addresses import parse_address
from .batches import apply_in_order, create_in_order, outside_statements, statements_of, text_array
from .calls import Call, NotNew, Statement
from .connections import Database
from .decisions import decisions_of
from .failures import is_lock, locked_error
from .keeping import PostgresKeeper
from .places import own_directory
from .questions import PostgresQuestions, Questions
from .queues import PostgresLimits
from .schedules import PostgresSchedules
from .schema import check_schema, migrate, missing_sql
from .sent import SentCall
from .session import PostgresSession
from .steering import PostgresSteering
from .transactions import PostgresTail
from .within import PostgresWithin

SENT_ENTRIES: Final = 200
"""The most that is sent without waiting: more might not fit into the socket."""

MOST_MEETINGS: Final = 20


class PostgresStore:
    """One Postgres database, schema `perdure`, for any number of processes and machines.

    Making a store connects to nothing. Connections are opened on first use: one for the journal, one for claims,
    one for the heartbeat, at most four for everything else.
    """

    def __init__(self, url: str, *, kinds: Iterable[Kind] = KINDS) -> None:
        self._kinds = Kinds(kinds)
        self._database = Database(parse_address(url), decisions_of(self._kinds))
        self.lock_directory = self._identity = ""
        self.on_cancelled: Callable[[Sequence[RunId]], None] | None = None
        self._writes: dict[str, int] = {}
        self._given_ids: dict[str, str] = {}
        self._is_counted = False
        self.finder = Finder(self._database.ask, text_array)
        self.steering: Steering = PostgresSteering(self._database)
        self.within: Within = PostgresWithin(self._database, lambda: self._identity)
        self.said = Said(self._database.ask)
        self.schedules: Schedules = PostgresSchedules(
            self._database, self._kinds, expected=lambda me: self._writes.get(me, 0), count=self._count_write
        )
        self.limits = PostgresLimits(self._database)
        self.questions: Questions = PostgresQuestions(self._database)
        self.keeper = PostgresKeeper(
            self._database, expected=lambda me: self._writes.get(me, 0), count=self._count_write
        )

    def __repr__(self) -> str:
        return f"PostgresStore({self._database.address.where})"

    @property
    def on_statement(self) -> Callable[[str], None] | None:
        """Called with the query's name before every round trip, for tests that count; None costs nothing."""
        return self._database.on_statement

    @on_statement.setter
    def on_statement(self, listener: Callable[[str], None] | None) -> None:
        self._database.on_statement = listener

    def migrate(self) -> None:
        self._identity = migrate(self._database)
        self.lock_directory = str(own_directory(self._identity))

    def check(self) -> None:
        self._identity = check_schema(self._database)
        self.lock_directory = str(own_directory(self._identity))

    def missing_sql(self) -> str:
        return missing_sql(self._database)

    def create(self, entries: Sequence[RunCreated | MessageSent]) -> list[Verdict]:
        turn = self._database.turn
        with turn.lock, self._naming_locked(entries):
            for _ in range(MOST_MEETINGS):
                with suppress(NotNew):
                    turn.call(
                        "create_runs", outside_statements(self._database.decisions, self._kinds, entries), self._tell
                    )
                    return self._kinds.accepted(entries)
                with suppress(NotNew):
                    return create_in_order(turn, self._kinds, entries)
        raise StoreUnavailableError("others make the same runs, again and again")

    def join(self, worker: WorkerRow, lease_seconds: float) -> None:
        self._given_ids[str(UUID(worker.worker_id))] = worker.worker_id
        self._writes.setdefault(worker.worker_id, 0)
        [(self._is_counted,)] = self._database.ask(
            "join_worker",
            {
                "worker_id": worker.worker_id,
                "hostname": worker.hostname,
                "pid": worker.pid,
                "lease_seconds": lease_seconds,
                "decisions": self._database.decisions.mark,
                "sessions": self._database.name,
                **_served_texts(worker.serves),
            },
        )

    def renew(self, worker_id: str) -> bool:
        with self._database.heartbeat.lock:
            return bool(self._database.heartbeat.ask("renew_worker", {"worker_id": worker_id}))

    def session(self) -> PostgresSession:
        return PostgresSession(self._database)

    def serve(self, worker_id: str, served: Served) -> None:
        self._database.ask("serve", {"worker_id": worker_id, **_served_texts(served)})

    @property
    def tail(self) -> PostgresTail:
        return PostgresTail(self._database)

    def leave(self, worker_id: str) -> None:
        self._database.ask("leave_worker", {"worker_id": worker_id})
        self._writes.pop(worker_id, None)

    def workers(self) -> list[WorkerRow]:
        return [
            worker_of((self._given_id(worker_id), *row), queues, names, version)
            for worker_id, *row, queues, names, version in self._database.ask("workers", {})
        ]

    def take_over(self, worker_id: str, *, seen: float | None = None) -> list[RunId] | None:
        parameters = {"worker_id": worker_id, "seen": seen}
        with self._database.turn.lock:
            self._database.turn.query("end_sessions", parameters)
            [(back,)] = self._database.turn.query("take_over_worker", parameters)
        return None if back is None else list(back)

    def apply(self, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        turn = self._database.turn
        with turn.lock, self._naming_locked(entries):
            with suppress(NotNew):
                if not self._kinds.are_open(entries):
                    turn.call("write_sections", self._statements(worker_id, entries), self._tell)
                    return self._accepted(worker_id, entries)
            return self._apply_in_order(worker_id, entries)

    @contextmanager
    def _naming_locked(self, entries: Sequence[Entry]) -> Iterator[None]:
        """Where the batch waits for a lock, tell whose rows somebody has locked (rule 17)."""
        try:
            yield
        except NothingDone as error:
            if not is_lock(error.__cause__):
                raise
            parents = [entry.parent_id for entry in entries if isinstance(entry, RunCreated) and entry.parent_id]
            run_ids = text_array({*(entry.run_id for entry in entries), *parents})
            locked = [run_id for (run_id,) in self._database.turn.query("locked_among", {"run_ids": run_ids})]
            if not locked:
                raise
            raise locked_error(locked, self._database.address) from error.__cause__

    def _tell(self, call: Call) -> None:
        if call.told and self.on_cancelled is not None:
            self.on_cancelled(json.loads(call.told))

    def at_once(self, waiting: int) -> int:
        return min(waiting, SENT_ENTRIES)

    def begin(self, worker_id: str, entries: Sequence[Entry]) -> SentCall | None:
        turn = self._database.turn
        if not turn.is_open or self._kinds.are_open(entries):
            return None  # connecting blocks, and so does the slow way
        with turn.lock:
            call = turn.send("write_sections", self._statements(worker_id, entries))
        return SentCall(call, turn.opened, lambda: self._answered(worker_id, call, entries))

    def _statements(self, worker_id: str, entries: Sequence[Entry]) -> list[Statement]:
        expected = self._writes.get(worker_id, 0)
        return statements_of(self._database.decisions, self._kinds, worker_id, expected, entries)

    def _answered(self, worker_id: str, call: Call, entries: Sequence[Entry]) -> list[Verdict]:
        try:
            self._database.turn.answer(call, self._tell)
        except NotNew as not_new:  # whoever sends it again goes the slow way
            raise StoreUnavailableError("the batch is to be sent again, entry by entry") from not_new
        return self._accepted(worker_id, entries)

    def _accepted(self, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        self._count_write(worker_id)
        return self._kinds.accepted(entries)

    def _apply_in_order(self, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        """Again, where others have made meanwhile what was new a moment ago."""
        for _ in range(MOST_MEETINGS):
            expected = self._writes.get(worker_id, 0)
            try:
                verdicts = apply_in_order(self._database.turn, self._kinds, worker_id, expected, entries)
            except NotNew:
                continue
            if verdicts is None:
                raise _fenced(worker_id)
            self._count_write(worker_id)
            return verdicts
        raise StoreUnavailableError("others write the same runs, again and again")

    @property
    def may_claim_beside(self) -> bool:
        return not self._is_counted

    def claim(self, worker_id: str, request: ClaimRequest, claims: Sequence[str]) -> Claimed:
        slots = {queue: most for queue, most in request.slots.items() if most > 0 or request.resuming.get(queue)}
        parameters = {
            "worker_id": worker_id,
            "expected": self._writes.get(worker_id, 0),
            "queues": text_array(slots),
            "slots": text_array(map(str, slots.values())),
            "names": text_array(request.names),
            "claims": text_array(claims),
            "last_attempts": request.last_attempts,
            "floors": _floors_text(slots, request.floors),
            "resuming": json.dumps([list(request.resuming.get(queue, ())) for queue in slots]),
        }
        connection = self._database.claims
        with connection.lock:
            rows = connection.query("claim_runs", parameters)
        if rows and rows[0][0] == 0:
            raise _fenced(worker_id)
        self._count_write(worker_id)
        return claimed_rows(rows, claims)

    def reconcile(self, worker_id: str, known: Collection[RunId]) -> list[RunId]:
        parameters = {
            "worker_id": worker_id,
            "expected": self._writes.get(worker_id, 0),
            "known": text_array(known),
        }
        turn = self._database.turn
        with turn.lock:
            [(back,)] = turn.query("hand_back_runs", parameters)
        if back is None:
            raise _fenced(worker_id)
        self._count_write(worker_id)
        return list(back)

    def histories(self, run_ids: Sequence[RunId]) -> list[HistoryRows]:
        parameters = {"run_ids": text_array(run_ids)}
        with self._database.spare() as connection:
            checkpoints = connection.ask("history_checkpoints", parameters)
            children = connection.ask("history_children", parameters)
            cancelled = connection.ask("cancelled_among", {"run_ids": json.dumps(list(run_ids))})
        return histories_of(run_ids, checkpoints, children, cancelled)

    def unfinished(self, after: int, most: int) -> list[tuple[int, ClaimedRun]]:
        return [unclaimed(row) for row in self._database.ask("unfinished_runs", {"after": after, "most": most})]

    def run(self, run_id: RunId) -> RunRow | None:
        for row in self._database.ask("run", {"run_id": run_id}):
            found = RunRow(*row)
            return found if found.worker_id is None else replace(found, worker_id=self._given_id(found.worker_id))
        return None

    def arrived(self, run_id: RunId, wait: Wait, most: int) -> list[Arrival]:
        rows = self._database.ask("waiting_messages", {"run_id": run_id, "topic": wait.what, "most": most})
        return [Arrival(message_id, Stored(codec, body)) for message_id, codec, body in rows]

    def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        return [
            EndedRun(run_id, state, None if codec is None else Stored(codec, body), reason)
            for run_id, state, codec, body, reason in self._database.ask("ended_runs", {"run_ids": text_array(run_ids)})
        ]

    def stuck(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        rows = self._database.ask("stuck_runs", {"run_ids": text_array(run_ids)})
        return [EndedRun(run_id, "parked", None, reason) for run_id, reason in rows]

    def cancel(self, run_id: RunId) -> bool:
        return bool(self._database.ask("cancel_run", {"run_id": run_id}))

    def cancel_many(self, run_ids: Sequence[RunId]) -> list[RunId]:
        return [run_id for (run_id,) in self._database.ask("cancel_runs", {"run_ids": text_array(run_ids)})]

    def sweep_cancelled(self) -> list[RunId]:
        [(has_any,)] = self._database.ask("has_open_cancels", {})
        if not has_any:
            return []
        [(swept,)] = self._database.ask("sweep_cancelled_runs", {})
        return list(swept)

    def expire(self) -> list[RunId]:
        [(expired,)] = self._database.ask("expire_runs", {})
        return list(expired)

    def hear(self, worker_id: str, heard: Collection[int]) -> Mail:
        parameters = {"worker_id": worker_id, "heard": text_array(map(str, heard))}
        [(told, has_read, has_cancelled)] = self._database.ask("hear", parameters)
        return Mail([Told(*one) for one in told], has_read, has_cancelled)

    def pulse(
        self,
        worker_id: str,
        queues: Collection[str],
        names: Collection[str],
        floors: Mapping[str, Floor] = NO_FLOORS,
    ) -> Pulse:
        asked = {"worker_id": worker_id, "queues": text_array(queues), "names": text_array(names)}
        [(*seen, limits, paused, asks)] = self._database.ask("pulse", {**asked, "floors": _floors_text(queues, floors)})
        return Pulse(*[*seen, set_limits(limits), frozenset(paused or ()), asks])

    def mend(self, names: Collection[str]) -> list[RunId]:
        return [run_id for (run_id,) in self._database.ask("mend_runs", {"names": text_array(names)})]

    def reconsider(self, worker_id: str, queues: Collection[str], names: Collection[str]) -> int:
        parameters = {"worker_id": worker_id, "queues": text_array(queues), "names": text_array(names)}
        [(offered,)] = self._database.ask("reconsider_runs", parameters)
        return int(offered)

    def explain_unknown(self, queues: Collection[str], names: Collection[str], reason: str) -> None:
        given = {"queues": text_array(queues), "names": text_array(names)}
        self._database.ask("explain_unknown_runs", {**given, "reason": reason})

    def checkpoints(self, run_id: RunId) -> list[Checkpoint]:
        rows = self._database.ask("history_checkpoints", {"run_ids": text_array([run_id])})
        return [recorded for _, recorded in map(checkpoint_of, rows) if recorded.kind != "stream"]

    def health(self) -> dict[str, str]:
        return self.finder.health()

    def close(self) -> None:
        self._database.close()

    def abandon(self) -> None:
        self._database.abandon()

    def _count_write(self, worker_id: str) -> None:
        """For the fence of servers that do not tell their timeline: what the process has counted."""
        self._writes[worker_id] = self._writes.get(worker_id, 0) + 1

    def _given_id(self, worker_id: str) -> str:
        """A UUID as this process spelled it; the server has its own way to write one."""
        return self._given_ids.get(worker_id, worker_id)


def _floors_text(queues: Iterable[str], floors: Mapping[str, Floor]) -> str:
    return json.dumps([floors.get(queue) for queue in queues])


def _served_texts(served: Served) -> dict[str, object]:
    return {"queues": text_array(served.queues), "names": text_array(served.names), "version": served.version}


def _fenced(worker_id: str) -> Fenced:
    return Fenced(f"worker {worker_id} has no row any more, or the database has failed over")
