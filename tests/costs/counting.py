"""Counts what Perdure asks of the database: statements, round trips and commits, by the stores' own hook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.perdure_side import Commits

HOUSEHOLD = frozenset({"pulse", "renew_worker", "workers", "look_at_locks", "send_hint", "checkpoint_wal"})
"""What time costs, not work: it comes when it is time, a second after the last or a hundredth. Counted by itself."""


@dataclass(frozen=True)
class Cost:
    """What some work took. On SQLite a statement is no round trip; on Postgres every statement is one."""

    statements: int
    commits: int
    names: Counter[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> Cost:
        """Without the household."""
        work = [name for name in names if name not in HOUSEHOLD]
        commits = Commits()
        return cls(len(work), sum(commits.count(name) for name in work), Counter(work))

    def __str__(self) -> str:
        return ", ".join(f"{name} x{number}" for name, number in sorted(self.names.items()))
