"""How a database answers: which tables a statement reads whole, by its plan. And what people ask by SQL."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg

import perdure
from benchmarks.program import Order
from benchmarks.statements import FOLDER
from perdure.stores.queries import load_queries

LARGE = {"runs", "attributes", "inputs", "outputs", "checkpoints", "messages", "given"}
"""What grows with the runs, and the aliases that the statements give it."""


def questions() -> Iterator[tuple[str, str]]:
    """What people ask of the views, and its name: the comment before it."""
    text = (FOLDER / "views.sql").read_text(encoding="utf-8")
    yield from re.findall(r"^-- (.+)\n([^;]+);", text, re.MULTILINE)


def asked_by(client: perdure.Client, ask: Callable[[], object]) -> list[tuple[str, Mapping[str, object]]]:
    """Which queries the client asks, with their parameters."""
    finder = client.runs._door().store.finder
    asked, own = list[tuple[str, Mapping[str, object]]](), finder._ask

    def watched(name: str, parameters: Mapping[str, object]) -> Any:
        asked.append((name, parameters))
        return own(name, parameters)

    finder._ask = watched
    try:
        ask()
    finally:
        finder._ask = own
    return asked


class Plans(Protocol):
    """Of one database."""

    def rows(self, statement: str) -> Sequence[Any]:
        """What it answers."""

    def worked_seconds(self) -> float:
        """How long processors have worked for this process, and for its sessions on a server: waiting is not in it, nor
        what others do on the same processors.
        """

    def scanned(self, statement: str, parameters: Mapping[str, object]) -> set[str]:
        """The tables that it reads whole."""

    def scanned_by(self, client: perdure.Client, ask: Callable[[], object]) -> set[str]:
        """The same of all that the client asks."""


class Watching:
    """Looks at what a client asks."""

    package = ""

    def scanned(self, statement: str, parameters: Mapping[str, object]) -> set[str]:
        """See `Plans`."""
        raise NotImplementedError

    def scanned_by(self, client: perdure.Client, ask: Callable[[], object]) -> set[str]:
        """See `Plans`."""
        queries = load_queries(f"perdure.stores.{self.package}")
        found = [
            self.scanned(queries[name].text, {key: given.get(key) for key in queries[name].parameters})
            for name, given in asked_by(client, ask)
        ]
        return set[str]().union(*found)


class SqlitePlans(Watching):
    """By `EXPLAIN QUERY PLAN`."""

    package = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: str) -> Sequence[Any]:
        """See `Plans`."""
        return self._connection.execute(statement).fetchall()

    def worked_seconds(self) -> float:
        """See `Plans`."""
        return time.process_time()

    def scanned(self, statement: str, parameters: Mapping[str, object]) -> set[str]:
        """A walk along an index of few, or in the order of the answer up to its limit, is none."""
        plan = self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
        lines = [str(row[3]) for row in plan]
        return {line.split()[1] for line in lines if re.fullmatch(r"SCAN \w+", line) and line.split()[1] in LARGE}


class PostgresPlans(Watching):
    """By `EXPLAIN`, with these values and with any."""

    package = "postgres"

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        connection.execute("SET search_path = perdure")
        self._sessions: list[Path] = []

    def rows(self, statement: str) -> Sequence[Any]:
        """See `Plans`."""
        return self._connection.execute(statement.encode()).fetchall()

    def worked_seconds(self) -> float:
        """See `Plans`. The server is on this machine; its sessions are those of the first call."""
        if not self._sessions:
            found = self._connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
            self._sessions = [Path(f"/proc/{pid}/schedstat") for (pid,) in found.fetchall()]
        spent = sum(int(session.read_text().split()[0]) for session in self._sessions if session.exists())
        return time.process_time() + spent / 1e9

    def scanned(self, statement: str, parameters: Mapping[str, object]) -> set[str]:
        """See `Plans`."""
        found = set[str]()
        with psycopg.ClientCursor(self._connection) as cursor:
            cursor.execute(f"EXPLAIN (FORMAT json) {statement}".encode(), parameters or None)
            found |= read_whole(cursor.fetchall())
        if parameters:
            any_values = statement
            for number, name in enumerate(parameters, 1):
                any_values = any_values.replace(f"%({name})s", f"${number}")
            explain = f"EXPLAIN (FORMAT json, GENERIC_PLAN) {any_values}".encode()
            found |= read_whole(self._connection.execute(explain, prepare=False).fetchall())
        return found


def read_whole(plan: object) -> set[str]:
    """The tables that a plan of Postgres reads whole."""
    found, left = set[str](), [plan]
    while left:
        node = left.pop()
        if isinstance(node, Mapping):
            left += node.values()
            if node.get("Node Type") == "Seq Scan" and node.get("Relation Name") in LARGE:
                found.add(str(node["Relation Name"]))
        elif isinstance(node, list | tuple):
            left += node
        elif isinstance(node, str) and node.startswith("["):
            left.append(json.loads(node))
    return found


@contextmanager
def plans(order: Order) -> Iterator[Plans]:
    """Of the order's database."""
    if order.is_postgres:
        with psycopg.connect(order.url, autocommit=True) as postgres:
            yield PostgresPlans(postgres)
        return
    with closing(sqlite3.connect(order.path)) as sqlite:
        yield SqlitePlans(sqlite)
