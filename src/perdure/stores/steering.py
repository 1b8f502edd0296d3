"""Steering: what people do to runs from outside, each for many runs in one transaction, with who did it.

None of it touches the row of a run that somebody holds (rule 15): that one is told, and its holder acts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ..typing import RunId


class By(NamedTuple):
    """Who does it, and what else there is to say of it."""

    who: str
    detail: str | None = None


class AuditRow(NamedTuple):
    """Something that was done to a run. `at`: seconds since the epoch."""

    at: float
    who: str
    action: str
    detail: str | None


class Steering(Protocol):
    """The operations of one store. Errors as of a store."""

    def pause(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        """Stop these runs: who holds one parks it at its next durable call, all others wait from now on. Those that had
        not ended. A run that is paused already stays so.
        """

    def resume(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        """Let those go on that are paused, or are to be, or whose retries were used up; these."""

    def audited(self, run_id: RunId, most: int) -> list[AuditRow]:
        """What was done to the run, the first `most`."""
