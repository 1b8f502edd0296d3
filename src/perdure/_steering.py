"""What is done to runs from outside: what is read of a run for that, and what is to become of it.

Words only, shared by the rules that plan it, whoever asks for it, and the stores that do it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

from ._entries import Stored
from .typing import CheckpointKind, RunId, RunKind, RunState


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


class Record(Struct, gc=False):
    """A checkpoint, with what says when it was made."""

    seq: int
    key: str
    kind: CheckpointKind
    name: str
    is_error: bool
    outcome: Stored
    position: int | None
    claim: str
    entry_id: str
    recorded_at: float


class PastChild(Struct, gc=False):
    """A run that the run has made, and how it ended, if it has."""

    run_id: RunId
    state: RunState
    finished_at: float | None
    has_cancel: bool
    """Whether somebody has asked for its end."""
    output: Stored | None


class Past(Struct):
    """A run, as far as it matters for a new start. Its times are seconds since the epoch."""

    run_id: RunId
    kind: RunKind
    name: str
    state: RunState
    incarnation: int
    worker_id: str | None
    parent_id: RunId | None
    has_open_parent: bool
    """Whether it is the child of a run that has not ended."""
    finished_at: float | None
    cancelled_at: float | None
    """When somebody has asked for its end."""
    output: Stored | None
    records: list[Record]
    children: list[PastChild]


class Undoer(NamedTuple):
    """The run that undoes what another one did: how far it has come."""

    state: RunState
    records: int


class Restart(Struct):
    """A new start of a run. What was read of it must still be so: its state, life, last record and undoer."""

    run_id: RunId
    state: RunState
    incarnation: int
    last_seq: int
    undoer: RunId
    undoer_state: RunState | None
    undoer_records: int
    dropped: list[str]
    """The keys of the records that go."""
    order: dict[str, str]
    """What is left of rows of the order log."""
    cancelled: list[RunId]
    """What is to end with the life that is over, as far as it has not: children, and who would have undone it."""
    reopened: list[str]
    """The topics of hooks that wait for an answer again."""
    is_whole: bool
    """Nothing stays."""
    detail: str
    since: int | None = None
    """The first record that goes and is no note of a call: what the run's own code has said behind it goes, too."""


class Fork(Struct):
    """A new run of what another one has recorded. None: as it is there."""

    run_id: RunId
    fork_id: RunId
    kept: list[str]
    order: dict[str, str]
    name: str | None = None
    max_attempts: int | None = None
    fingerprint: str | None = None
    input: Stored | None = None
    since: int | None = None
    """As of a restart: what the run's own code has said behind this record is not the fork's."""


ForkVerdict = Literal["made", "taken", "gone"]
"""The run was made; its id is another run's; the records that it was to have are not there any more."""


class Deleted(NamedTuple):
    """Those of the runs that were deleted, and how many runs that were with all that belongs to them."""

    run_ids: list[RunId]
    total: int
