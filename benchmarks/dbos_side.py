"""How the programs use DBOS: as its documentation says, with the documented options that make it faster.

README.md here lists the options, their sources, and what was tried. Needs the environment of `dbos.txt`.
"""

from __future__ import annotations

import os
import sys

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig

from benchmarks.program import Order, Tally

QUEUE = "bench"
POOL_SIZE = 20
"""The default; see README.md for what was tried."""

POLL_SECONDS = {"postgres": 0.1, "sqlite": 0.01}
"""For queues and for waiting, where many runs are waited for: what gave the highest rates of those that were tried."""

IDLE_POLL_SECONDS = 0.003
"""Where one caller waits for one run: faster than 1, 10 and 30 ms on SQLite; on Postgres 1 and 3 ms were alike.
Polling every millisecond keeps DBOS itself from working.
"""


def launch(order: Order, executor: str = "local") -> Tally:
    """Launch DBOS on the order's database; what it sends is counted, if that is asked for.

    `executor`: of several processes each needs a name of its own, or one that starts takes the others' runs.
    """
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": order.url,
        "sys_db_pool_size": POOL_SIZE,
        "executor_id": executor,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    tally = Tally()
    if order.is_counted:
        count_in(tally)
    DBOS.launch()
    return tally


def count_in(tally: Tally) -> None:
    """Count statements and commits through the events of its database library."""

    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def note_statement(*_: object) -> None:
        tally["statements"] += 1

    @sa.event.listens_for(sa.Engine, "commit")
    def note_commit(*_: object) -> None:
        tally["commits"] += 1


def poll_seconds(order: Order) -> float:
    """How often to look, on this store."""
    return POLL_SECONDS["postgres" if order.is_postgres else "sqlite"]


def register_queue(polling_seconds: float) -> None:
    """The queue, with the documented polling interval."""
    DBOS.register_queue(QUEUE, polling_interval_sec=polling_seconds)


def leave() -> None:
    """End at once: a clean end waits seconds for its threads, and nothing of it is measured."""
    sys.stdout.flush()
    os._exit(0)
