"""A claim's question and answer: how many runs of which queues, and what was given."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from .._entries import Stored
from ..typing import RunId, RunKind


@dataclass(slots=True)
class ClaimedRun:
    """A run that this worker now holds. `is_fresh`: nothing of it was ever executed, so there is no history to read.

    `claimed_at`: when, by the database's clock, which alone says what is due. `incarnation`: how often it was started
    anew. `deadline`: when it is to be over. `is_detached`: it is not cancelled with its parent.
    `rounds`: how often it has gone on as a new one.
    """

    run_id: RunId
    claim: str
    kind: RunKind
    name: str
    queue: str
    priority: int
    input: Stored
    attempts: int
    max_attempts: int
    is_fresh: bool
    parent_id: RunId | None
    parent_key: str | None
    is_cancelled: bool
    claimed_at: float
    incarnation: int = 0
    deadline: float | None = None
    is_detached: bool = False
    rounds: int = 0


LastAttempts = Literal["left", "alone", "beside"]
"""What a claim does with runs at their last attempt (rule 11): it leaves them where they are; or takes a single one,
for a worker that holds nothing else; or takes them beside others, with the rest.
"""


class Floor(NamedTuple):
    """A place in a queue, by priority and then age: this worker has lately taken all that there was up to here."""

    priority: int
    seq: int
    is_firm: bool = False
    """Whether nothing up to here is to be looked at, whatever becomes ready there: that took too long."""


NO_FLOORS: Final[Mapping[str, Floor]] = MappingProxyType({})


@dataclass(slots=True, frozen=True)
class ClaimRequest:
    """How many runs of which queues, of the functions that this process knows; what of runs at their last attempt.

    `floors`: a claim need not look at what is up to there. It does where something has just become ready by it, but for
    what is firm.
    """

    slots: Mapping[str, int]
    names: Collection[str]
    last_attempts: LastAttempts = "left"
    floors: Mapping[str, Floor] = field(default_factory=dict)
    resuming: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By queue, the claims of runs here that have given their slots back and want to go on: served before anything
    new.
    """


Shortage = Literal["empty", "full", "rate", "paused"]
"""Why a queue gave less than was asked: nothing more is there; there is no room for more, until a run ends; the window
is full, until some time; somebody has paused it.
"""


@dataclass(slots=True)
class Claimed:
    """The answer to a claim: the runs, for each queue that gave less than was asked why, and where the next claim may
    begin to look.
    """

    runs: list[ClaimedRun] = field(default_factory=list)
    short: dict[str, Shortage] = field(default_factory=dict)
    floors: dict[str, Floor] = field(default_factory=dict)
    resumed: set[str] = field(default_factory=set)
    """The claims among those that are `resuming` that have their slots again."""
    opens_in: dict[str, float] = field(default_factory=dict)
    """Where a window is full, in how many seconds it opens, by the database's clock."""
    ended: list[RunId] = field(default_factory=list)
    """Runs that were cancelled for want of room."""
    has_cancelled: bool = False
    """Whether runs that are held were cancelled, to make room."""

    def add(self, other: Claimed) -> None:
        """The answer to another claim of the same worker, of other queues."""
        self.runs += other.runs
        self.short.update(other.short)
        self.floors.update(other.floors)
        self.resumed |= other.resumed
        self.opens_in.update(other.opens_in)
        self.ended += other.ended
        self.has_cancelled |= other.has_cancelled
