"""What the database says, by the views that people may rely on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

STEPS = "SELECT run_id, key, kind, outcome FROM {}step_view WHERE run_id NOT LIKE '%:undo'"
RUNS = "SELECT id, parent_id, state, stopped, reason FROM {}run_view WHERE id NOT LIKE '%:undo'"
"""Without the runs that wait whether there is anything to undo: they end after those that they are for."""
TERMINAL = {"succeeded", "failed", "cancelled", "dead"}


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    """What a public view says; nothing where the process was killed before the tables were made."""
    if not url.startswith("postgresql"):
        with closing(sqlite3.connect(url)) as connection:
            try:
                return connection.execute(statement.format("")).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" not in str(error):
                    raise
                return []
    import psycopg

    with psycopg.connect(url) as connection:
        return connection.execute(statement.format("perdure.").encode()).fetchall()
