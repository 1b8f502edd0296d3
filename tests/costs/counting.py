"""Counts what Perdure asks of the database: statements, round trips and commits, by the stores' own hook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

COMMITTING = ("commit", "record_lone_checkpoint", "apply_batch", "claim_runs")
"""What ends a transaction; the last three are one by themselves."""

HOUSEHOLD = frozenset({"pulse", "renew_worker", "workers"})
"""What time costs, not work: counted by itself."""


@dataclass(frozen=True)
class Cost:
    """What some work took. On SQLite a statement is no round trip; on Postgres every statement is one."""

    statements: int
    commits: int
    names: Counter[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> Cost:
        """Without the household. On SQLite checkpoints outside a transaction are one by themselves."""
        counted: Counter[str] = Counter()
        commits, is_open = 0, False
        for name in names:
            counted[name] += name not in HOUSEHOLD
            is_open = name == "begin" or (is_open and name != "commit")
            commits += name in COMMITTING or (name == "record_checkpoints" and not is_open)
        counted = +counted
        return cls(counted.total(), commits, counted)

    def __str__(self) -> str:
        return ", ".join(f"{name} x{number}" for name, number in sorted(self.names.items()))
