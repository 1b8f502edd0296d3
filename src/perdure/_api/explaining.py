"""`explain`: in words, why a run does not go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._core.absent import no_run
from .._core.explanation import facts_of, sentences
from .._engine.membership.file_locks import free_locks
from ..typing import RunId, RunState

if TYPE_CHECKING:
    from .._engine.door import Door


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a run stands where it does, as `explain` found it. `str(...)` is the sentences, a line each."""

    run_id: RunId
    status: RunState
    sentences: Sequence[str]
    """The most telling first."""

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def explain(door: Door, run_id: RunId) -> Explanation:
    """Read it all by one statement; nothing is written. Raises `RunNotFoundError`."""
    dead = [worker_id for worker_id, _ in free_locks(door.store.lock_directory, "")]
    found = door.store.finder.explained(run_id, dead)
    if found is None:
        raise no_run(run_id)
    facts = facts_of(found)
    status: RunState = "cancelling" if facts.state == "held" and facts.is_cancelled else facts.state
    return Explanation(run_id=run_id, status=status, sentences=sentences(facts))
