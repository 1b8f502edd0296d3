"""Which tables a run has rows in. A new table with a run's id is a line here; a test finds one that is forgotten."""

from __future__ import annotations

from typing import Final, NamedTuple


class Table(NamedTuple):
    """One of them: its name, the column that is the run's id, and what its rows are in order of."""

    name: str
    key: str = "run_id"
    order: str = "run_id"
    outlives: bool = False
    """Whether its rows stay when the run is removed."""
    has_seq_of_run: bool = False
    """Whether its `seq` is that of the run."""


OF_RUNS: Final = (
    Table("runs", key="id", order="seq"),
    Table("inputs"),
    Table("outputs"),
    Table("checkpoints", order="seq"),
    Table("streams", order="run_id, name, first"),
    Table("progress", order="key"),
    Table("messages", order="seq"),
    Table("attributes", order="name", has_seq_of_run=True),
    Table("hooks", order="token"),
    Table("waits", key="waiter", order="awaited"),
    Table("audit", order="seq", outlives=True),
)
"""What goes with a run, in the order in which it is inserted."""

PASSING: Final = (Table("wakes", order="seq"), Table("questions", order="id"))
"""What is told to a run and gone when somebody has looked: it is removed with the run, and made anew elsewhere."""

SETTINGS: Final = (
    Table("queues", key="name", order="name"),
    Table("pauses", key="name", order="name"),
    Table("starts", key="queue", order="queue, key, total"),
    Table("schedules", key="name", order="name"),
)
"""What belongs to no run, and moves with a whole database."""

DERIVED: Final = ("stirs", "turns")
"""What follows from the runs: triggers make it anew."""

MOVED: Final = 1_000_000
"""The version of the schema of a database whose rows are in another one now: no release works on it."""

KNOWN: Final = {table.name: table for table in (*OF_RUNS, *SETTINGS)}
