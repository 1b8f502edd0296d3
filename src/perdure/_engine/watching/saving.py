"""What a body saves for its next attempt, written from a thread that waits for it."""

from __future__ import annotations

from ..._core.flows.saves import entry_of
from ..._core.lineage import StepScope
from ..._entries import Accepted, Stored, Verdict
from ...errors import RunInterrupted
from ..journal.journal import Journal
from ..journal.lanes import Lane


def save_now(journal: Journal, here: StepScope, stored: Stored) -> None:
    """It is durable when this returns. Raises `RunInterrupted` where the run is another worker's."""
    verdicts: list[Verdict] = []
    lane = Lane()
    number = journal.append(lane, entry_of(here, stored), verdicts.append, leads=True)
    journal.wait(lane, number)
    note_saved(here, stored, verdicts[0])


def note_saved(here: StepScope, stored: Stored, verdict: Verdict) -> None:
    """It is durable; or the run is another worker's."""
    if not isinstance(verdict, Accepted):
        raise RunInterrupted(f"run {here.run.run_id} is another worker's: this one saves nothing for it any more")
    here.run.saves[here.key] = stored
