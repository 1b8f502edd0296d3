"""Steering: what people do to runs from outside, each for many runs in one transaction, with who did it.

None of it touches the row of a run that somebody holds (rule 15): that one is told, and its holder acts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .._steering import AuditRow, By, Deleted, Fork, ForkVerdict, Past, Restart, Undoer
from ..typing import RunId


class Steering(Protocol):
    """The operations of one store. Errors as of a store."""

    def cancel(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        """`Cancels.ask`, with who asks."""

    def pause(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        """Stop these runs: who holds one parks it at its next durable call, all others wait from now on. Those that had
        not ended. A run that is paused already stays so.
        """

    def resume(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        """Let those go on that are paused, or are to be, or whose retries were used up; these."""

    def past(self, run_id: RunId) -> Past | None:
        """What the run was and has recorded, and its children; in one state. None: there is no such run."""

    def undoer(self, run_id: RunId) -> Undoer | None:
        """How far the run of this id has come, which undoes what another one did."""

    def restart(self, plans: Sequence[Restart], action: str, by: By) -> bool:
        """Start all of these runs anew, or none, where something has changed since the plans were made: false.

        What goes is gone, with the output and a cancel; messages that were received by what goes wait again; the
        attempts count anew; the run is ready, in its next life.
        """

    def fork(self, plan: Fork, by: By) -> ForkVerdict:
        """Make a run of what another one has recorded, ready; its own from then on."""

    def delete(self, run_ids: Sequence[RunId], by: By) -> Deleted:
        """Delete these runs, their children down the tree, and who undid them; of each all or nothing: where all of
        that has ended, and no unfinished run has made it, or needs it.
        """

    def audited(self, run_id: RunId, most: int) -> list[AuditRow]:
        """What was done to the run, the first `most`."""
