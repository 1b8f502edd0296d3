"""A rival for the store: a session of the test's own that keeps its transaction open at the worst moment."""

from __future__ import annotations

import psycopg
from psycopg.pq import ExecStatus

from perdure._entries import Entry
from perdure.stores.kinds import Kinds
from perdure.stores.postgres.batches import statements_of
from perdure.stores.postgres.decisions import decisions_of

DECISIONS = decisions_of(Kinds())


class Rival:
    """A session whose transaction stays open until it is told to commit."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url)
        self.connection.execute("SELECT 1")
        self.watcher = psycopg.connect(url, autocommit=True)

    def do(self, name: str, **parameters: object) -> list[tuple[object, ...]]:
        """Run one of the store's queries, and leave the transaction open."""
        cursor = self.connection.execute(DECISIONS.text(name).encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def apply(self, worker_id: str, *entries: Entry) -> None:
        """Apply a batch as the store does, and leave the transaction open."""
        for _, text, parameters in statements_of(DECISIONS, Kinds(), worker_id, 0, entries):
            result = self.connection.pgconn.exec_params(text, parameters)
            assert result.status == ExecStatus.TUPLES_OK, result.error_message

    def replace_timeline(self, told: str) -> None:
        """Let the server tell this as its timeline, once that is committed."""
        text = f"CREATE OR REPLACE FUNCTION perdure.current_timeline() RETURNS text LANGUAGE sql AS $$ SELECT {told} $$"
        self.connection.execute(DECISIONS.marked(text).encode())

    def wait_until_somebody_waits_for_me(self) -> None:
        """Return when another session is blocked by this one."""
        me = self.connection.info.backend_pid
        question = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
        while self.watcher.execute(question, [me]).fetchall() == [(0,)]:
            pass

    def commit(self) -> None:
        """Let go."""
        self.connection.commit()
