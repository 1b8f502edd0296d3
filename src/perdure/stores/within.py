"""Making runs in a user's own transaction: what his connection asks, and what the answers say.

They are generators that yield a statement and are sent its rows, for the connection may be sync or async. Nothing of it
is Perdure's to commit, nothing of it notifies (rule 15), and no right to write is needed: the runs are an outsider's.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Protocol

from .._entries import RunCreated, Verdict
from .tails import DatabaseKind as DatabaseKind
from .tails import Statement


class Within(Protocol):
    """The statements, for the user's connection to ask."""

    database: DatabaseKind

    def is_here(self) -> Generator[Statement, list[Any], bool]:
        """Whether the connection reaches this database."""

    def create(self, entries: Sequence[RunCreated]) -> Generator[Statement, list[Any], list[Verdict]]:
        """Make the runs, ready; the verdicts in order, as of `Store.create`. A number of statements that does not
        depend on theirs.
        """
