"""The last statement of a user's own transaction (protocol rules 9 and 15): what it is, and what became of it."""

from __future__ import annotations

from collections.abc import Generator

import msgspec

from ..._entries import StepRecorded
from ..tails import DatabaseKind, Statement, TailVerdict
from .connections import Database, Row


class PostgresTail:
    """`Tail` of one Postgres database."""

    kind: DatabaseKind = "postgres"
    is_exclusive = False

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_here(self, worker_id: str) -> Generator[Statement, list[Row], bool]:
        [(has_functions,)] = yield self._statement("may_transact")
        if not has_functions:
            return False
        [(is_joined,)] = yield self._statement("is_joined", worker_id=worker_id)
        return bool(is_joined)

    def record(self, worker_id: str, entry: StepRecorded) -> Generator[Statement, list[Row], TailVerdict]:
        [(verdict,)] = yield self._statement(
            "transact",
            worker_id=worker_id,
            run_id=entry.run_id,
            claim=entry.claim,
            entry=msgspec.json.encode(entry).decode(),
        )
        made: TailVerdict = verdict
        return made

    def was_recorded(self, run_id: str, key: str) -> bool:
        [(is_recorded,)] = self._database.ask("was_transacted", {"run_id": run_id, "key": key})
        return bool(is_recorded)

    def _statement(self, name: str, **parameters: object) -> Statement:
        return Statement(self._database.decisions.text(name), parameters)
