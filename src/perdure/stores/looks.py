"""What a worker sees when it looks: the pulse of the database, its mail, whose locks are held, what others hint at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..typing import RunId
from .limits import SetLimits


@dataclass(slots=True)
class Pulse:
    """What the bounded poll sees: whether the mailbox has something for this worker or for anybody, whether anything is
    claimable, and when next to look.
    """

    has_mail: bool = False
    has_claimable: bool = False
    has_last_attempts: bool = False
    """Whether some of it is to be claimed alone (rule 11)."""
    next_due_at: float | None = None
    """By the database's clock, which says `now`."""
    has_overdue: bool = False
    """Whether a run's deadline has passed, and nobody has told it so."""
    has_schedules: bool = False
    """Whether a schedule is to be looked at."""
    now: float = field(default=0.0, compare=False)
    limits: Mapping[str, SetLimits] = field(default_factory=dict)
    """Of the queues for which something was set."""
    paused: frozenset[str] = frozenset()
    """The functions that are paused."""
    has_questions: bool = False
    """Whether somebody asks a run something, and has no answer."""


class ToldRun(NamedTuple):
    """A run that this worker holds was told something: a cancel, a pause, or anything else that it may wait for."""

    seq: int
    run_id: RunId
    is_cancelled: bool
    is_paused: bool = False


@dataclass(slots=True)
class Mail:
    """What a look into the mailbox finds (rule 13).

    `has_read`: runs were told something, and may be claimable now. `has_cancelled`: some of them that nobody holds have
    a cancel, and keep their rows until they are swept.
    """

    told: list[ToldRun]
    has_read: bool
    has_cancelled: bool


@dataclass(slots=True, frozen=True)
class Locks:
    """Whose locks are held and whose are free, as one look has seen it; workers that have none are in neither.

    `session`: another number for each session of the one who looks. What was seen in another one is no evidence.
    """

    session: int
    held: frozenset[str]
    free: frozenset[str]


@dataclass(slots=True, frozen=True)
class Hint:
    """What a process says it has committed: queues with runs for others, runs that it has ended, runs that have said
    something to whoever asks. Never the truth.

    `is_vague`: something has changed, and nobody says what.
    """

    queues: frozenset[str] = frozenset()
    ended: frozenset[RunId] = frozenset()
    is_vague: bool = False
    said: frozenset[RunId] = frozenset()
