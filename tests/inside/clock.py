"""Time that passes in the database alone: its one clock is put forward, as if the tests had waited.

On Postgres that is the function `perdure.now`, on SQLite the view `clock`; everything that is due goes by it. What a
process waits for in memory goes by the process's own clock, so what is to be skipped must have been parked.
"""

from __future__ import annotations

import sqlite3

POSTGRES = "CREATE OR REPLACE FUNCTION perdure.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT {} $$"
SQLITE = "CREATE VIEW clock AS SELECT (julianday('now') - 2440587.5) * 86400.0 + {} AS now"


def skip_time(url: str, seconds: float) -> None:
    """From now on the database's clock is ahead of ours by so much. Of Postgres it takes a database of one's own."""
    if url.startswith("postgresql"):
        import psycopg

        with psycopg.connect(url) as connection:
            connection.execute(POSTGRES.format(f"clock_timestamp() + interval '{seconds} seconds'").encode())
        return
    connection = sqlite3.connect(url, isolation_level=None, timeout=30.0)
    try:
        for statement in ("BEGIN IMMEDIATE", "DROP VIEW clock", SQLITE.format(seconds), "COMMIT"):
            connection.execute(statement)
    finally:
        connection.close()
