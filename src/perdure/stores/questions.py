"""What somebody asks a run that he does not hold, and is told: no part of any history. Each is one transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from .._entries import Answer, Stored
from ..typing import RunId
from .claimed import ClaimedRun


@dataclass(slots=True, frozen=True)
class Question:
    """What a run is asked, with the arguments."""

    question_id: str
    run_id: RunId
    name: str
    args: Stored


class Questions(Protocol):
    """A store's own; from any thread. Errors as of a store."""

    def ask(self, question: Question, seconds: float) -> None:
        """Have it answered by whoever holds the run, or has its code. Asked twice is asked once."""

    def open(self, worker_id: str, names: Collection[str], most: int) -> list[Question]:
        """What nobody has answered, and this worker can: of runs that it holds, and of those of these functions that
        nobody holds.
        """

    def answer(self, question_id: str, answer: Answer, claim: str | None) -> bool:
        """Whether this is the answer: the first; and of a run in memory, which has a `claim`, while that lasts."""

    def withdraw(self, question_id: str) -> None:
        """The asker waits no more."""

    def run(self, run_id: RunId) -> ClaimedRun | None:
        """A run as a claim would give it, whatever its state, to be replayed; None where there is none."""
