"""The Postgres store: `Store` over one database. What each method promises stands in `stores.protocol`.

Every decision is one function in the database, called in one round trip; `decisions/` has them with their reasons.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from ..._entries import Entry, MessageSent, RunCreated, Verdict
from ...errors import StoreUnavailableError
from ...typing import RunId
from ..cancels import Cancels
from ..finding import Finder, Said
from ..histories import claimed_rows, set_limits
from ..kinds import KINDS, Kind, Kinds
from ..mending import Mending
from ..protocol import NO_FLOORS, Claimed, ClaimRequest, Floor, Mail, NothingDone, Pulse, ToldRun
from ..runs import Runs
from ..schedules import Schedules
from ..steering import Steering
from ..within import Within
from ..workers import Workers
from .addresses import parse_address
from .batches import apply_in_order, array_of_names, create_in_order, outside_statements, statements_of, text_array
from .calls import Call, NotNew, Statement
from .cancels import PostgresCancels
from .connections import Database
from .decisions import decisions_of
from .failures import fenced, is_lock, locked_error
from .keeping import PostgresKeeper
from .mending import PostgresMending
from .places import own_directory
from .questions import PostgresQuestions, Questions
from .queues import PostgresLimits
from .runs import PostgresRuns
from .schedules import PostgresSchedules
from .schema import check_schema, migrate, missing_sql
from .sent import SentCall
from .session import PostgresSession
from .steering import PostgresSteering
from .transactions import PostgresTail
from .within import PostgresWithin
from .workers import PostgresWorkers
from .writes import Writes

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
        self._writes = Writes()
        workers = PostgresWorkers(self._database, self._writes)
        self.workers: Workers = workers
        self.runs: Runs = PostgresRuns(self._database, workers.given_id)
        self.cancels: Cancels = PostgresCancels(self._database)
        self.mending: Mending = PostgresMending(self._database)
        self.finder = Finder(self._database.ask, text_array)
        self.steering: Steering = PostgresSteering(self._database)
        self.within: Within = PostgresWithin(self._database, lambda: self._identity)
        self.said = Said(self._database.ask)
        self.schedules: Schedules = PostgresSchedules(self._database, self._kinds, self._writes)
        self.limits = PostgresLimits(self._database)
        self.questions: Questions = PostgresQuestions(self._database)
        self.keeper = PostgresKeeper(self._database, self._writes)

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

    def session(self) -> PostgresSession:
        return PostgresSession(self._database)

    @property
    def tail(self) -> PostgresTail:
        return PostgresTail(self._database)

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
        expected = self._writes.expected(worker_id)
        return statements_of(self._database.decisions, self._kinds, worker_id, expected, entries)

    def _answered(self, worker_id: str, call: Call, entries: Sequence[Entry]) -> list[Verdict]:
        try:
            self._database.turn.answer(call, self._tell)
        except NotNew as not_new:  # whoever sends it again goes the slow way
            raise StoreUnavailableError("the batch is to be sent again, entry by entry") from not_new
        return self._accepted(worker_id, entries)

    def _accepted(self, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        self._writes.count(worker_id)
        return self._kinds.accepted(entries)

    def _apply_in_order(self, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        """Again, where others have made meanwhile what was new a moment ago."""
        for _ in range(MOST_MEETINGS):
            expected = self._writes.expected(worker_id)
            try:
                verdicts = apply_in_order(self._database.turn, self._kinds, worker_id, expected, entries)
            except NotNew:
                continue
            if verdicts is None:
                raise fenced(worker_id)
            self._writes.count(worker_id)
            return verdicts
        raise StoreUnavailableError("others write the same runs, again and again")

    @property
    def may_claim_beside(self) -> bool:
        return not self._writes.are_checked

    def claim(self, worker_id: str, request: ClaimRequest, claims: Sequence[str]) -> Claimed:
        slots = {queue: most for queue, most in request.slots.items() if most > 0 or request.resuming.get(queue)}
        parameters = {
            "worker_id": worker_id,
            "expected": self._writes.expected(worker_id),
            "queues": text_array(slots),
            "slots": text_array(map(str, slots.values())),
            "names": array_of_names(tuple(request.names)),
            "claims": text_array(claims),
            "last_attempts": request.last_attempts,
            "floors": _floors_text(slots, request.floors),
            "resuming": json.dumps([list(request.resuming.get(queue, ())) for queue in slots]),
        }
        connection = self._database.claims
        with connection.lock:
            rows = connection.query("claim_runs", parameters)
        if rows and rows[0][0] == 0:
            raise fenced(worker_id)
        self._writes.count(worker_id)
        return claimed_rows(rows, claims)

    def reconcile(self, worker_id: str, known: Collection[RunId]) -> list[RunId]:
        parameters = {
            "worker_id": worker_id,
            "expected": self._writes.expected(worker_id),
            "known": text_array(known),
        }
        turn = self._database.turn
        with turn.lock:
            [(back,)] = turn.query("hand_back_runs", parameters)
        if back is None:
            raise fenced(worker_id)
        self._writes.count(worker_id)
        return list(back)

    def hear(self, worker_id: str, heard: Collection[int]) -> Mail:
        parameters = {"worker_id": worker_id, "heard": text_array(map(str, heard))}
        [(told, has_read, has_cancelled)] = self._database.ask("hear", parameters)
        return Mail([ToldRun(*one) for one in told], has_read, has_cancelled)

    def pulse(
        self,
        worker_id: str,
        queues: Collection[str],
        names: Collection[str],
        floors: Mapping[str, Floor] = NO_FLOORS,
    ) -> Pulse:
        asked = {"worker_id": worker_id, "queues": text_array(queues), "names": array_of_names(tuple(names))}
        [(*seen, limits, paused, asks)] = self._database.ask("pulse", {**asked, "floors": _floors_text(queues, floors)})
        return Pulse(*[*seen, set_limits(limits), frozenset(paused or ()), asks])

    def health(self) -> dict[str, str]:
        return self.finder.health()

    def close(self) -> None:
        self._database.close()

    def abandon(self) -> None:
        self._database.abandon()


def _floors_text(queues: Iterable[str], floors: Mapping[str, Floor]) -> str:
    return json.dumps([floors.get(queue) for queue in queues])
