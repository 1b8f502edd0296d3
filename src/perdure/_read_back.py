"""What is read back of what runs have made durable, and values as they are kept. Words only; see `_entries`."""

from __future__ import annotations

from msgspec import Struct

from .typing import TERMINAL, AnswerKind, CheckpointKind, RunId, RunState


class Stored(Struct, gc=False):
    """A value as it is kept: the codec's name and its text. Never shown in a repr: it is the user's data."""

    codec: str
    text: str

    def __repr__(self) -> str:
        return f"Stored(codec={self.codec!r})"


class Checkpoint(Struct, gc=False):
    """A recorded outcome, as loaded."""

    key: str
    kind: CheckpointKind
    name: str
    fingerprint: str
    is_error: bool
    outcome: Stored
    position: int | None
    attempts: int
    arguments: str | None = None


class ChildRow(Struct, gc=False):
    """A child of the run whose history is loaded."""

    run_id: RunId
    parent_key: str
    name: str
    fingerprint: str
    state: RunState
    arguments: str | None = None


class HistoryRows(Struct, gc=False):
    """Everything that a run has recorded: its checkpoints, its children, whether a cancel waits."""

    checkpoints: list[Checkpoint]
    children: list[ChildRow]
    is_cancelled: bool


class Arrival(Struct, gc=False):
    """Something that a run waits for is there: a message."""

    arrival_id: str
    value: Stored


class EventSeen(Struct, gc=False):
    """What a run has last set under a key, if it has, and the run's state, if there is such a run."""

    state: RunState | None
    value: Stored | None

    @property
    def is_final(self) -> bool:
        """Whether it is there, or will never be."""
        return self.value is not None or self.state is None or self.state in TERMINAL


Arrived = Arrival | EventSeen
"""What may have come for a run that waits for something that others send or say."""


class Answer(Struct, gc=False):
    """What a run's code answers to a question: a value, or the error that it raised."""

    kind: AnswerKind
    value: Stored


class QuestionSeen(Struct, gc=False):
    """What was answered to a question, if it was."""

    answer: Answer | None

    @property
    def is_final(self) -> bool:
        """Whether the answer is there."""
        return self.answer is not None


class UpdateSeen(Struct, gc=False):
    """What has become of an update: the answer, if there is one, and of which kind; and its run's state, if there is
    such a run. Without an answer, whether it is accepted.
    """

    state: RunState | None
    is_accepted: bool = False
    kind: AnswerKind | None = None
    answer: Stored | None = None

    @property
    def is_final(self) -> bool:
        """Whether the answer is there, or will never be."""
        return self.answer is not None or self.state is None or self.state in TERMINAL


class HookRow(Struct, gc=False):
    """A hook, as it is kept. `state` is its run's; times are seconds since the epoch."""

    token: str
    run_id: RunId
    key: str
    topic: str
    shape: str
    schema: str | None
    question: str | None
    opened_at: float
    due_at: float | None
    resolved_at: float | None
    closed_at: float | None
    state: RunState


class EndedRun(Struct, gc=False):
    """A run that has ended: `output` holds its value or its error; None where it has neither (cancelled, dead)."""

    run_id: RunId
    state: RunState
    output: Stored | None
    reason: str | None
