"""The words that every layer shares: states, kinds and the small values that name things. No behaviour."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

RunId = str
"""A run's id: drawn by Perdure (a UUID) or given by the caller, who thereby makes the start idempotent."""

Seconds = float | timedelta
"""A duration as it may be given, everywhere; kept and computed with as a number of seconds."""

RunState = Literal["ready", "held", "cancelling", "parked", "succeeded", "failed", "cancelled", "dead"]
"""`cancelling` is how a held run is shown that somebody has cancelled, until what its code does just now returns."""
TERMINAL: Final[frozenset[RunState]] = frozenset({"succeeded", "failed", "cancelled", "dead"})

RunKind = Literal["workflow", "step"]
"""What a run executes; a step is a run when it is put on a queue, or started, by itself."""

Stopped = Literal["mend", "paused", "retries"]
"""Why a parked run is not woken: its code has to be mended, it was paused, its retries are used up."""

CheckpointKind = Literal[
    "step",
    "value",
    "sleep",
    "order",
    "attributes",
    "patch",
    "undo",
    "send",
    "recv",
    "child",
    "event",
    "get_event",
    "saved",
    "hook",
    "resolve",
    "stream",
    "update",
    "answer",
]
"""`step`: a body's outcome. `value`: now, random, uuid4. `sleep`: when to wake. `order`: a piece of the
delivery log. `attributes`: by what people find the run, from here on. `send`: whom a message did not reach. `recv`: a
message, or that none came in time. `event`: what the run says to whoever asks. `get_event`: what another one has said.
`hook`: the token of a hook. `resolve`: why an answer did not reach its hook.
`patch`: that the run goes by a change of its code.
`saved`: what a body has saved for its next attempt.
`undo`: what is to be run if the run fails or is cancelled. `child`: which run a call has started, or found.
`update`: what the run was asked to do, and has accepted. `answer`: what became of that.
`stream`, in a history only: how much a source has written to a stream.
"""

AnswerKind = Literal["value", "error", "refusal"]
"""How a run answers what it is asked."""

WaitKind = Literal["children", "run", "message", "event"]
"""What a parked run waits for, beside a time."""

OVERDUE: Final = "its deadline has passed"
"""The reason of a cancelled run that has ended by its deadline; the SQL writes the same."""

Overlap = Literal["skip", "queue", "cancel", "allow"]
"""What a schedule does while the run that it started last has not ended."""
CatchUp = Literal["latest", "all", "skip"]
"""What it starts of the instants that nobody was there for."""

DEFAULT_QUEUE: Final = ""
"""The queue of runs that were started, not submitted."""
