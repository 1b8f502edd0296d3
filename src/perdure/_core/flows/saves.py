"""What a step's body saves for its next attempt: the last counts, until the step's outcome is recorded."""

from __future__ import annotations

from typing import Final

from ..._entries import Stored, ValueSaved
from ..flow import Flow, Record
from ..lineage import StepScope
from ..run import Run

SAVED: Final = "~saved"
"""After the key of a step: what its body has saved."""
NOTHING: Final = Stored("json", "null")


def saved_entry(run: Run, key: str, name: str, stored: Stored, attempt: int) -> ValueSaved:
    """It takes the place of what was saved before."""
    number = run.next_entry_id()
    return ValueSaved(
        run.run_id, run.claim, number, f"{key}{SAVED}", "saved", name, "-", False, stored, attempts=attempt
    )


def forget_saved(run: Run, key: str) -> Flow[None]:
    """The step's outcome is recorded: what it has saved for another attempt is of no use."""
    if run.saves.pop(key, None) is not None:
        entry = saved_entry(run, key, "", NOTHING, 0)
        entry.is_over = True
        yield Record(entry)


def entry_of(here: StepScope, stored: Stored) -> ValueSaved:
    """What the body in this scope saves."""
    name = here.call.definition.name if here.call is not None else here.run.name
    return saved_entry(here.run, here.key, name, stored, here.attempt)
