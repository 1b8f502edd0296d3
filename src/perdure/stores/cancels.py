"""Cancels (rule 8): a run is asked to end; who holds it acts, and what nobody holds is swept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..typing import RunId


class Cancels(Protocol):
    """Those of a store; from any thread. Errors as of a store."""

    def ask(self, run_ids: Sequence[RunId]) -> list[RunId]:
        """Rule 8: ask for the cancellation of these runs, in one transaction; those that had not ended, and exist."""

    def sweep(self) -> list[RunId]:
        """Rule 8: end, as `cancelled`, every ready or parked run with a cancel; their children get one too.
        Returns them. Detached children are left alone.
        """

    def expire(self) -> list[RunId]:
        """Rule 8: cancel the runs whose deadline has passed, by the database's clock, and that have no cancel yet; a
        thousand at most. Returns them. Whoever ends as `cancelled` after its deadline has `OVERDUE` for its reason.
        """
