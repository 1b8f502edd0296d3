"""Runs made in a user's own transaction: one function does it, and spoils nothing where a run is not new."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence

import msgspec

from ..._entries import Accepted, Existed, RunCreated, Verdict
from ..tails import DatabaseKind, Statement
from .connections import Database, Row


class PostgresWithin:
    """`Within` of one Postgres database, told from others by its `identity`."""

    database: DatabaseKind = "postgres"

    def __init__(self, database: Database, identity: Callable[[], str]) -> None:
        self._database = database
        self._identity = identity

    def is_here(self) -> Generator[Statement, list[Row], bool]:
        [(has_functions,)] = yield self._statement("may_create_within")
        if not has_functions:
            return False
        [identity] = yield self._statement("schema_identity")
        return "-".join(map(str, identity)) == self._identity()

    def create(self, entries: Sequence[RunCreated]) -> Generator[Statement, list[Row], list[Verdict]]:
        [(told,)] = yield self._statement("create_within", entries=msgspec.json.encode(entries).decode())
        return [Accepted() if holder is None else Existed(*holder) for holder in json.loads(told)]

    def _statement(self, name: str, **parameters: object) -> Statement:
        return Statement(self._database.decisions.text(name), parameters)
