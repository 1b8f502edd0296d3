"""What a store promises of whole runs. Errors as of a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from ...errors import StoreError
from ...typing import RunId
from .columns import Row

Rows = Mapping[str, Sequence[Row]]
"""By table."""

Archive = Callable[[Rows], None]
"""Keeps the rows of runs that are about to be removed, durably; where it raises, nothing is removed."""


class RowsMeetError(StoreError):
    """What is to be inserted is there already: nothing was inserted."""


class Expiry(NamedTuple):
    """Which runs of a function are to be removed: that ended so long ago, or were made before those that are kept."""

    name: str
    after: int = 0
    """Look from here on, in the order in which they were made."""
    keep_seconds: float | None = None
    below: int | None = None


class Removed(NamedTuple):
    """What has become of an `Expiry`."""

    runs: int
    """How many were removed, those included that they had made."""
    after: int | None
    """Where to look on; None: all was looked at."""


class Moved(NamedTuple):
    """How many rows there were, by table."""

    counts: Mapping[str, int]


class Source(Protocol):
    """A database that nobody writes to while it is read."""

    def counts(self) -> Mapping[str, int]:
        """How many rows each table has."""

    def run_ids(self, most: int) -> Iterator[Sequence[RunId]]:
        """All runs, in the order in which they were made, so many at once."""

    def rows(self, run_ids: Sequence[RunId]) -> Rows:
        """What these runs have."""

    def settings(self) -> Rows:
        """What belongs to no run."""

    def has(self, rows: Rows) -> bool:
        """Whether all these runs, made at that time, are there."""

    def close_for(self, other: str) -> None:
        """Say that everything is in the other database now, so that nobody works here any more."""


class Target(Protocol):
    """A database into which rows are put, all or none."""

    def counts(self) -> Mapping[str, int]:
        """As of a source."""

    def forget(self, settings: Rows) -> None:
        """Remove what is set here under the same names."""

    def add(self, rows: Rows) -> None:
        """Insert them. Raises `RowsMeetError`."""

    def has(self, rows: Rows) -> bool:
        """Whether all these runs, made at that time, are there."""


class Keeper(Protocol):
    """The operations of one store."""

    def family(self, run_id: RunId, most: int) -> list[RunId]:
        """The run, those that it has made, down the tree, and those that undo what they did; none: there is no such
        run.
        """

    def rows(self, run_ids: Sequence[RunId]) -> Rows:
        """All that these runs have, as at one moment."""

    def add(self, rows: Rows) -> None:
        """Insert runs, all or none. Who was held is ready. Raises `RowsMeetError` where one is there already, and
        `StoreRefusedError` where they are no rows of these tables.
        """

    def newest_kept(self, name: str, keep_runs: int) -> int | None:
        """Before which place in the order those ended runs of a function were made that are not among the newest so
        many; None: there are no more than that.
        """

    def remove(self, worker_id: str, expiry: Expiry, archive: Archive | None) -> Removed:
        """The fence, then: remove the first of what has expired, a bounded number, in one transaction. See
        `stores.keeping.removing` for what may go.
        """

    def moving_out(self) -> AbstractContextManager[Source]:
        """Nobody writes meanwhile. Raises `StoreRefusedError` where a worker lives."""

    def moving_in(self) -> AbstractContextManager[Target]:
        """Committed where the block ends well."""
