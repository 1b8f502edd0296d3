"""What a kind of entry has to say for itself, so that a batch need know none by name.

A kind is a struct in `_entries`, a file here, and one `entries/<name>.sql` for each store. What that SQL promises:
every entry of the section is new, and its claim has the right to write; else it raises, and nothing of the batch is
kept. Then the slow way asks the database what is known of the entries, and the kinds judge each of them by that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ..._entries import Accepted, Refused, Verdict
from ...typing import RunId, RunState

ACCEPTED: Final = Accepted()

Rows = Sequence[Sequence[Any]]


class Ask(Protocol):
    """Asks a named query, inside the transaction that is open; lists of texts go as JSON."""

    def __call__(self, name: str, /, **parameters: object) -> Rows: ...


@dataclass(slots=True)
class Trace:
    """What is known of a run: from the database, or from an earlier entry of the batch."""

    name: str
    fingerprint: str
    state: RunState
    worker_id: str | None
    claim: str | None
    created_by: str
    finished_by: str | None = None
    last_claim: str | None = None
    last_state: RunState | None = None
    reason: str | None = None


@dataclass(slots=True)
class Situation:
    """The database as far as the batch asks about it, and what the batch has done to it so far."""

    worker_id: str
    runs: dict[RunId, Trace] = field(default_factory=dict)
    claims: set[str] = field(default_factory=set)
    """Those of the batch that this worker still has."""
    ended: set[str] = field(default_factory=set)
    refused: dict[str, Refused] = field(default_factory=dict)
    """Why what is to come of a claim is refused."""
    seen: dict[str, Any] = field(default_factory=dict)
    """What each kind has asked for itself, by its name."""

    def is_held(self, entry: Any) -> bool:
        """Whether the entry's claim is that under which this worker holds the run now."""
        trace = self.runs.get(entry.run_id)
        return trace is not None and trace.claim == entry.claim and trace.worker_id == self.worker_id

    def not_held(self, run_id: RunId) -> Refused:
        """Why nothing can be written of the run under a claim that is over."""
        trace = self.runs.get(run_id)
        if trace is None:
            return Refused(f"there is no run {run_id!r}")
        return Refused(f"run {run_id!r} is not held under this claim any more (it is {trace.state})")


Judgement = Verdict | None
"""None: the entry is new and may be written."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of entry. The order of all kinds is the order in which a batch is written."""

    name: str
    """Of its section, and of its SQL."""
    struct: type[Any]
    judge: Callable[[Any, Situation], Judgement]
    accepted: Callable[[Any], Verdict] = lambda entry: ACCEPTED
    """The verdict on one that is written."""
    is_open: Callable[[Any], bool] = lambda entry: False
    """Whether only the database knows what becomes of its run."""
    tell: Callable[[Ask, Sequence[Any]], Sequence[Verdict]] | None = None
    """Asks set-wise for the verdicts on those that were written, where only the database knows them."""
    look: Callable[[Ask, Sequence[Any], Situation], None] = lambda ask, entries, situation: None
    """Asks set-wise for what `judge` has to know beside the runs."""
    ends_claim: bool = False
    """Whether it is the last entry of its claim; its run's row is locked for it."""
    folds: tuple[str, ...] = ()
    """Further sections after its own, into which entries of several kinds are folded."""
    folder: str = "perdure.stores.{store}.entries"
    """The package with its SQL."""


Sections = Mapping[str, Sequence[Any]]
"""The entries by section, in the order in which they are written; none is empty."""


def ends(entry: Any, situation: Situation) -> Judgement:
    """What every end of a claim is judged by, once it is known not to be there already."""
    if not situation.is_held(entry) or entry.claim in situation.ended:
        return situation.not_held(entry.run_id)
    situation.ended.add(entry.claim)
    return None
