"""The few statements of the benchmarks' own, in `sql/`: sent as they are, `:count` and the like filled in."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from benchmarks.program import Order

FOLDER = Path(__file__).parent / "sql"


def script(order: Order, name: str) -> list[str]:
    """The statements of the order's store, each whole."""
    text = (FOLDER / f"{name}_{'postgres' if order.is_postgres else 'sqlite'}.sql").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("--"))
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]


def run_script(order: Order, name: str, count: int) -> None:
    """Run them in one transaction each, `count` in the place of `:count`."""
    statements = [statement.replace(":count", str(int(count))) for statement in script(order, name)]
    if order.is_postgres:
        import psycopg  # late: the programs for SQLite need none

        with psycopg.connect(order.url, autocommit=True) as postgres:
            for statement in statements:
                postgres.execute(statement)
        return
    sqlite = sqlite3.connect(order.path, timeout=30, isolation_level=None)
    for statement in statements:
        sqlite.execute(statement)
    sqlite.close()
