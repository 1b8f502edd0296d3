"""What a run makes durable: the journal's entries. The verdicts are in `_verdicts`, what is read back in `_read_back`.

Words only, shared by the rules that ask for an entry, the journal that carries it and the stores that keep it.
Structs of msgspec: an entry is built on the hot path, theirs takes half as long as a dataclass, and the collector need
not look at what cannot refer to itself (`gc=False`).

Every entry of a run names the *claim* under which it was made; writes join on it (protocol rules 2 and 6).
An entry without a claim comes from outside any run, such as a web request that submits.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from ._read_back import Answer as Answer
from ._read_back import Arrival as Arrival
from ._read_back import Arrived as Arrived
from ._read_back import Checkpoint as Checkpoint
from ._read_back import ChildRow as ChildRow
from ._read_back import EndedRun as EndedRun
from ._read_back import EventSeen as EventSeen
from ._read_back import HistoryRows as HistoryRows
from ._read_back import HookRow as HookRow
from ._read_back import QuestionSeen as QuestionSeen
from ._read_back import Stored as Stored
from ._read_back import UpdateSeen as UpdateSeen
from ._streams import StreamRewound, StreamWritten
from ._verdicts import Accepted as Accepted
from ._verdicts import Existed as Existed
from ._verdicts import HookMissed as HookMissed
from ._verdicts import Joined as Joined
from ._verdicts import Refused as Refused
from ._verdicts import Undelivered as Undelivered
from ._verdicts import Verdict as Verdict
from .typing import DEFAULT_QUEUE, CheckpointKind, RunId, RunKind, Stopped, WaitKind

NO_FINGERPRINT: Final = "?"
"""Of a run that another program has made: nobody has computed one, so it fits all arguments."""


class RunCreated(Struct, gc=False):
    """A run, to be made unless its id exists.

    `claim` is the claim of the run that creates it (None outside), `parent_id` and `parent_key` its place there.
    `held_as` is a fresh claim when this worker starts to execute the run at once; None leaves it `ready`.
    `due_at` (seconds since the epoch) delays a ready run, or `delay_seconds`, which the database's clock counts from
    the creation. Lower `priority` goes first. In its queue no other unfinished run has its `dedup_key`; with
    `dedup_until_start` none that has not begun.
    """

    run_id: RunId
    kind: RunKind
    name: str
    fingerprint: str
    input: Stored
    entry_id: str
    claim: str | None = None
    parent_id: RunId | None = None
    parent_key: str | None = None
    held_as: str | None = None
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    due_at: float | None = None
    max_attempts: int = 10
    attributes: dict[str, str] | None = None
    """By what people find the run."""
    delay_seconds: float | None = None
    deadline_at: float | None = None
    """When it is to be over (seconds since the epoch), or so long after it may begin; the earlier if both are given."""
    timeout_seconds: float | None = None
    is_detached: bool = False  # of a child: it is not cancelled with its parent
    dedup_key: str | None = None
    dedup_until_start: bool | None = None
    flow_key: str | None = None  # whose turn it is when the run begins, and whose limits it counts for (rule 14)

    def due_from(self, now: float) -> float | None:
        """When the run is due, if it is made at that time; None: at once."""
        return self.due_at if self.delay_seconds is None else now + self.delay_seconds

    @property
    def is_plain(self) -> bool:
        """Whether its whole life may be one row, as nobody but the run itself has a say in it."""
        return self.dedup_key is None and not self.has_deadline

    @property
    def has_deadline(self) -> bool:
        """Whether it is to be over at some time."""
        return self.deadline_at is not None or self.timeout_seconds is not None


class RunDebounced(RunCreated, gc=False):
    """A run that begins when nobody has asked for it again for `debounce_seconds`, at most `longest_seconds` after the
    first time. A run of its key that has not begun gets its input instead, and is made by this entry from then on.
    """

    debounce_seconds: float = 0.0
    longest_seconds: float | None = None

    def due_from(self, now: float) -> float | None:
        """When the run is due, if nobody asks again."""
        longest = self.debounce_seconds if self.longest_seconds is None else self.longest_seconds
        return now + min(self.debounce_seconds, longest)


class StepRecorded(Struct, gc=False):
    """A checkpoint: the outcome of one durable call, under its key.

    `position` is its place in the run's order of deliveries, None where the order is fixed by the program.
    `attempts` counts the attempts, those of earlier claims too. `arguments` is the beginning of what the fingerprint is
    of, for people; None where that may not be shown.
    """

    run_id: RunId
    claim: str
    entry_id: str
    key: str
    kind: CheckpointKind
    name: str
    fingerprint: str
    is_error: bool
    outcome: Stored
    position: int | None = None
    attempts: int = 1
    started_at: float | None = None
    arguments: str | None = None


class ValueSaved(StepRecorded, gc=False):
    """What a step's body has saved for its next attempt: under a key of its own, where the last one counts. `is_over`:
    the step's outcome is recorded, so take it away.
    """

    is_over: bool = False


class ProgressMade(Struct, gc=False):
    """How far a step's body has come, for people."""

    run_id: RunId
    claim: str
    key: str
    name: str
    attempt: int
    done: float
    total: float | None
    note: str | None


class AttributesSet(Struct, gc=False):
    """A run says by what people find it: a checkpoint, and the attributes themselves; None takes one away."""

    run_id: RunId
    claim: str
    entry_id: str
    key: str
    fingerprint: str
    outcome: Stored
    attributes: dict[str, str | None]
    arguments: str | None = None


class Wait(Struct, gc=False):
    """Something that a parked run waits for: one more of its children has ended than it has `seen`; the run `what` has
    ended; a message of the topic `what` is there; or the run `run_id` has set the event `what`, or has ended.
    """

    kind: WaitKind
    what: str = ""
    seen: int = 0
    run_id: RunId = ""


class MessageSent(Struct, gc=False):
    """A message for the run `run_id`, from the run that has the `claim`, or from outside (None). By its id, a UUID, one
    that is sent twice finds itself.
    """

    run_id: RunId
    claim: str | None
    message_id: str
    topic: str
    value: Stored


class MessageReceived(StepRecorded, gc=False):
    """A checkpoint that consumes a message, in the same commit; None: that none came in time."""

    message_id: str | None = None


class UpdateAnswered(StepRecorded, gc=False):
    """A checkpoint: the outcome of an update, which is the answer to the message that asked for it."""

    message_id: str = ""


class UpdateRefused(Struct, gc=False):
    """The run does not do what the message asks for, and why. No checkpoint: a replay knows nothing of it."""

    run_id: RunId
    claim: str
    message_id: str
    reason: Stored


class EventSet(StepRecorded, gc=False):
    """A checkpoint of kind `event`, whose name is the event's key: whoever waits for it is told in the same commit."""


class HookOpened(StepRecorded, gc=False):
    """A checkpoint, and the hook that it opens: under which token it is answered, and what the answer must be."""

    token: str = ""
    topic: str = ""
    shape: str = ""
    """The type of the answer, for people."""
    schema: str | None = None
    """The same as JSON Schema, for whoever answers without the code; None where there is none."""
    question: str | None = None
    """What people are asked."""
    due_at: float | None = None


class HookResolved(MessageSent, gc=False):
    """The answer to the hook that the run has opened at this call: a message, and the hook takes no other one."""

    token: str = ""
    key: str = ""


class HookTimedOut(StepRecorded, gc=False):
    """A checkpoint: no answer came in time to the hook that was opened at the call `hook_key`; none is taken now."""

    token: str = ""
    hook_key: str = ""


class SlotGiven(Struct, gc=False):
    """The run waits, in memory: while its queue's limits hold for all workers, others may have its slot (rule 14)."""

    run_id: RunId
    claim: str


class RunParked(Struct, gc=False):
    """The run leaves memory; its claim ends, uncharged.

    It wakes when `due_at` is past, or one of those that it `waits_for` has come. None of that wakes a run that is
    `stopped`; `reason` says what somebody has to do. One that needs a `mend` is made ready again by a new worker, or by
    newly registered code.
    """

    run_id: RunId
    claim: str
    due_at: float | None = None
    waits_for: tuple[Wait, ...] = ()
    stopped: Stopped | None = None
    reason: str | None = None
    is_refused: bool = False
    """This worker's code cannot replay it: one that has another version of the code is to try, if there is one."""


EndState = Literal["succeeded", "failed", "cancelled"]


class RunFinished(Struct, gc=False):
    """The run's end. The store turns it into `cancelled` when a cancel was acknowledged before (rule 8). One that is to
    end so, and has neither cancel nor deadline, goes back to ready.
    """

    run_id: RunId
    claim: str
    state: EndState
    output: Stored | None
    reason: str | None = None
    has_deadline: bool = False
    """Then the store says whether a cancelled run has ended by it."""


class RunContinued(Struct, gc=False):
    """The run goes on as a new one: with these arguments, and nothing recorded."""

    run_id: RunId
    claim: str
    input: Stored
    has_deadline: bool = False


class RunReleased(Struct, gc=False):
    """The run goes back to `ready`. `charged` keeps the attempt (the body wanted to end the process)."""

    run_id: RunId
    claim: str
    charged: bool = False
    reason: str | None = None


Entry = (
    RunCreated
    | RunDebounced
    | StepRecorded
    | ValueSaved
    | ProgressMade
    | AttributesSet
    | MessageSent
    | MessageReceived
    | UpdateAnswered
    | UpdateRefused
    | EventSet
    | HookOpened
    | HookResolved
    | HookTimedOut
    | StreamWritten
    | StreamRewound
    | SlotGiven
    | RunParked
    | RunFinished
    | RunContinued
    | RunReleased
)


def entry_bytes(entry: Entry) -> int:
    """Roughly what the entry weighs in memory and on the wire."""
    kind = type(entry)
    if kind is StepRecorded:
        return 400 + len(entry.outcome.text)  # type: ignore[union-attr]  # as `kind` says
    if kind is RunCreated or kind is RunContinued:
        return 300 + len(entry.input.text)  # type: ignore[union-attr]
    if isinstance(entry, RunFinished) and entry.output is not None:
        return 200 + len(entry.output.text)
    if kind is MessageSent or kind is HookResolved:
        return 200 + len(entry.value.text)  # type: ignore[union-attr]
    if isinstance(entry, StreamWritten):
        return 300 + sum(map(len, entry.texts))
    if kind is MessageReceived or kind is EventSet or kind is ValueSaved or kind is UpdateAnswered:
        return 400 + len(entry.outcome.text)  # type: ignore[union-attr]
    if isinstance(entry, HookOpened):
        return 600 + len(entry.schema or "") + len(entry.question or "")
    return 200
