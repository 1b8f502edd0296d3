"""A run in memory: what it has recorded, what it may still do, and the rules for both.

One object per claim. It is used by every branch of the run, so what several threads may do at once is either a single
operation of a dict or under the host's lock.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any, Final, NoReturn, Protocol, Self, TypeVar

from msgspec import Struct, field

from .._entries import Checkpoint, ChildRow, EndedRun, EndState, HistoryRows, RunFinished, Stored
from ..errors import NondeterminismError, PerdureError, RunInterrupted, SerializationError
from ..typing import CheckpointKind, RunId, RunKind, Stopped
from .children import NO_CHILDREN, Children
from .difference import show_difference
from .handlers import Handlers
from .inbox import Inbox
from .interruption import FOLLOWS, MAY_FINISH, Interruption
from .marks import call_of_mark
from .order import Order
from .serialization import Serializer
from .streams import Streams

T = TypeVar("T")
RunT_contra = TypeVar("RunT_contra", bound="Run", contravariant=True)

UNDO: Final = "~undo"
"""After the key of a step: that it can be undone, recorded before its body begins."""


class Host(Protocol[RunT_contra]):
    """Answers the requests of one run's flows; `answer` may return an awaitable where the run is async."""

    def answer(self, run: RunT_contra, request: Any) -> Any:
        """The answer to a request of `flow`."""

    def park_for_mend(self, run: RunT_contra, reason: str, *, may_be_load: str | None = None) -> None:
        """End the run's claim now, without waiting: it waits for people. Where a crowded machine may be to blame for
        what `may_be_load` tells, it is tried again first.
        """

    def park_soon(self, run: RunT_contra) -> None:
        """Park the run now, if every branch of it waits durably, however short it has waited."""

    def interrupt(self, run: RunT_contra) -> None:
        """Nothing durable may happen in the run any more: wake every branch of it that waits."""


class Run(Struct, eq=False, weakref=True):
    """One claim of one run, while this process holds it. What the journal and the host keep of it is no rule's."""

    run_id: RunId
    claim: str
    kind: RunKind
    name: str
    queue: str
    attempts: int
    parent_id: RunId | None
    serializer: Serializer
    host: Host[Self] = None  # type: ignore[assignment]  # it has one when it begins
    entry_ids: Iterator[int] = field(default_factory=count)
    is_concurrent: bool = False
    """Whether the run has ever had a second branch: from then on the order of deliveries is recorded."""
    is_loose: bool = False
    """Whether its branches run beside each other: then what they see of each other's memory may differ by time."""
    is_cancelled: bool = False
    """Somebody outside has asked for the run's end."""
    stops_as: Stopped = "paused"
    """Why it does not go on by itself, where it is interrupted as paused."""
    stops_for: str | None = None
    """What there is to say of that."""
    deadline: float | None = None
    """When it is to be over, in seconds since the epoch."""
    is_detached: bool = False
    """It is not cancelled with its parent."""
    rounds: int = 0
    """How often it has gone on as a new one: each of these lives names its calls by keys of its own."""
    has_only_repeated: bool = False
    """Whether this claim goes on from what earlier ones have recorded, and has recorded nothing itself so far."""
    is_let_go: bool = False
    """Whether what ends the claim is handed in."""
    incarnation: int = 0
    """How often the run was started anew: a later life makes children of its own."""
    clock_origin: float = -math.inf
    """What the database's clock said when this process's monotonic one was 0; known of a run that was claimed."""
    exit: BaseException | None = None
    """What a call ended the program with: Ctrl-C, or `sys.exit`."""
    interruption: Interruption | None = None
    """Why nothing durable may happen in this claim any more."""
    difference: PerdureError | None = None
    end: EndedRun | None = None
    """Its end, once that is committed."""
    order: Order = field(default_factory=Order)
    checkpoints: dict[str, Checkpoint] = {}
    marks: dict[str, Checkpoint] = {}
    """What calls have recorded before their outcome: that they began, how often they were tried."""
    transacted: dict[str, Any] = {}
    """What bodies have recorded themselves, in their own transactions, and no flow has handed over yet."""
    patches: dict[str, bool] = {}
    """Changes of the code that the run has asked about, and whether it goes by them."""
    streams: Streams | None = None
    """What it knows of those that it writes to; None before it does."""
    has_said: bool = False
    """Whether it has said something to whoever asks: then others may wait for its end."""
    saves: dict[str, Stored] = {}
    """What bodies have saved for their next attempt, by the key of their call."""
    undos: dict[str, tuple[str, str]] = {}
    """What is recorded as to be undone: key -> name and fingerprint of the call."""
    has_undoer: bool = False
    """Whether the run is made that undoes what this one does."""
    children: Children = NO_CHILDREN
    inbox: Inbox | None = None
    """What has arrived for it; None before it first waits for something of that kind."""
    handlers: Handlers | None = None
    """What its code has said it answers, and does when it is asked; None before it does."""
    unopened: dict[str, str] = {}
    """Branches that have recorded something without a position, and were not opened again so far: the first key."""

    def __repr__(self) -> str:
        return f"<run {self.run_id} of {self.name}>"

    def next_entry_id(self) -> str:
        """Unique in the claim, so that an entry that is sent twice finds itself."""
        return str(next(self.entry_ids))

    def recall(self, rows: HistoryRows) -> None:
        """Take in what earlier claims have recorded."""
        deliveries: list[tuple[int, str]] = []
        calls: dict[str, ChildRow] = {}
        for checkpoint in rows.checkpoints:
            if checkpoint.kind == "event" and not checkpoint.key.startswith(self.root_path):
                continue  # said in an earlier round, and kept for whoever asks
            if checkpoint.kind == "order":
                deliveries.extend(read_order_log(self.serializer.load(checkpoint.outcome)))
                continue
            if checkpoint.kind == "patch":  # asked for by whoever knows the name, or by nobody any more
                self.patches[checkpoint.name] = True
                continue
            if checkpoint.kind == "child":
                calls[checkpoint.key] = called(checkpoint)
                continue
            if checkpoint.kind == "stream":
                if checkpoint.key.startswith(self.root_path):  # not what earlier rounds have written
                    self.streams = self.streams or Streams()
                    self.streams.recall(checkpoint, int(checkpoint.outcome.text))
                continue
            if checkpoint.kind == "saved":
                self.saves[checkpoint.key.rpartition("~")[0]] = checkpoint.outcome
                continue
            if (marked := call_of_mark(checkpoint)) is not None:
                self.marks[marked] = checkpoint  # in the order of their recording: the latest says all
                continue
            if checkpoint.kind == "undo":
                if not checkpoint.is_error:  # else it is for the run to undo from which this one was forked
                    self.undos[checkpoint.key] = checkpoint.name, checkpoint.fingerprint
                if checkpoint.key.endswith(UNDO):  # recorded beside its step, which is the call
                    continue
            self.checkpoints[checkpoint.key] = checkpoint
            if checkpoint.position is not None:
                deliveries.append((checkpoint.position, checkpoint.key))
            else:
                self._expect_branch(checkpoint.key)
        self.order = Order(deliveries)
        self.children.recall(rows.children, calls, is_first_life=not (self.incarnation or self.rounds))
        for key in self.children.recorded:  # not those of a former life, whose branches nobody opens again
            self._expect_branch(key)
        self.has_undoer = bool(self.undos) and not self.incarnation
        self.has_only_repeated = self.has_recorded
        self.is_cancelled = self.is_cancelled or rows.is_cancelled

    def _expect_branch(self, key: str) -> None:
        branch, slash, _ = key.rpartition("/")
        if slash:
            self.unopened.setdefault(branch + slash, key)

    def finished(self, state: EndState, output: Stored | None = None) -> RunFinished:
        """The entry of its end."""
        return RunFinished(self.run_id, self.claim, state, output, has_deadline=self.deadline is not None)

    @property
    def root_path(self) -> str:
        """What the keys of its calls begin with."""
        return f"{self.rounds}:" if self.rounds else ""

    @property
    def is_claimed(self) -> bool:
        """Whether the database has handed it out; else it was made here, and held from the first."""
        return self.clock_origin > -math.inf

    @property
    def is_behind(self) -> bool:
        """Whether something is recorded that this claim has not come to yet: then nothing new may begin."""
        return self.order.is_replaying or bool(self.unopened)

    @property
    def missing_key(self) -> str:
        """The call that is to come next, of a run that is behind."""
        return self.order.awaited_key or next(iter(self.unopened.values()), "?")

    def check_alive(self) -> None:
        """Raise `RunInterrupted` where nothing durable may happen any more."""
        if self.interruption is not None:
            raise RunInterrupted(f"run {self.run_id} is {self.interruption}: this process can do nothing more for it")

    def interrupt(self, by: Interruption) -> bool:
        """Nothing durable may happen any more, for this reason, where it may take the place of what is; whether it did.
        The caller tells the host.
        """
        if self.interruption not in FOLLOWS[by]:
            return False
        self.interruption = by
        return True

    def exits(self: Self, error: BaseException) -> None:
        """A call has ended with what ends the program. That is not recorded, so nothing that the run's code does with
        it may be: its claim ends, and the next one makes the call again.
        """
        self.exit = error if self.exit is None else self.exit
        if self.interrupt("exiting"):
            self.host.interrupt(self)

    @property
    def may_finish(self) -> bool:
        """Whether the outcome of a body that ran may still be recorded: a run that is being let go of may finish what
        it began.
        """
        return self.interruption in MAY_FINISH

    def check_not_over(self) -> None:
        """After a body: raise `RunInterrupted` where its outcome cannot be recorded any more."""
        if not self.may_finish:
            self.check_alive()

    def take(
        self,
        key: str,
        kind: CheckpointKind,
        name: str,
        fingerprint: str,
        preview: str | None = None,
        arguments: Stored | None = None,
    ) -> Checkpoint | None:
        """The recorded outcome of this call, or None; raises `RunInterrupted` where another call is recorded.
        `arguments` are what the fingerprint is of, where that is at hand.
        """
        recorded = self.checkpoints.pop(key, None)
        if recorded is None:
            if key in self.children.recorded:
                self.differ(key, f"a child run of {self.children.recorded[key].name}", f"{kind} {name}")
            return None
        if recorded.kind != kind or recorded.name != name:
            self.differ(key, f"{recorded.kind} {recorded.name}", f"{kind} {name}")
        if recorded.fingerprint != fingerprint and not self.serializer.is_as_before(
            recorded.fingerprint, recorded.arguments, fingerprint, arguments
        ):
            before, now = show_difference(recorded.arguments, preview)
            self.differ(key, f"{kind} {name} with {before}", f"the same with {now}")
        return recorded

    def take_mark(self, key: str, name: str, fingerprint: str, arguments: Stored | None = None) -> Checkpoint | None:
        """What this call has recorded of itself without an outcome, or None; raises `RunInterrupted` where another call
        has.
        """
        mark = self.marks.pop(key, None) if self.marks else None
        if mark is None or (mark.name, mark.fingerprint) == (name, fingerprint):
            return mark
        if mark.name != name or not self.serializer.is_as_before(mark.fingerprint, None, fingerprint, arguments):
            self.differ(key, f"the beginning of step {mark.name}", f"step {name}, or other arguments")
        return mark

    def take_child(self, key: str, name: str, fingerprint: str, arguments: Stored) -> ChildRow | None:
        """The recorded child of this call, or None; raises `RunInterrupted` where something else is recorded."""
        if key in self.checkpoints:
            recorded = self.checkpoints[key]
            self.differ(key, f"{recorded.kind} {recorded.name}", f"a child run of {name}")
        child = self.children.recorded.get(key)
        if child is None:
            return None
        if child.name != name:
            self.differ(key, f"a child run of {child.name}", f"a child run of {name}")
        if child.fingerprint != fingerprint and not self.serializer.is_as_before(
            child.fingerprint, child.arguments, fingerprint, arguments
        ):
            was = None if child.arguments is None else self.serializer.preview(child.arguments)
            before, now = show_difference(was, self.serializer.preview(arguments.text))
            self.differ(key, f"a child run of {name} with {before}", f"the same with {now}")
        self.children.asked.add(key)
        return child

    def differ(self, key: str, recorded: str, asked: str, *, may_be_load: bool = False) -> NoReturn:
        """The replay does not fit what is recorded: the run is parked before its code unwinds, whatever that does.

        `may_be_load`: it may have come in time and not in order, so it is tried again first, with less beside it.
        """
        told = (
            f"run {self.run_id} of {self.name} does not match its history at call {key}: recorded is {recorded}, "
            f"the code now asks for {asked}."
        )
        difference = NondeterminismError(
            f"{told} The run is parked and nothing is lost: ask perdure.patched(...) where the code has changed, or "
            "restore the code that it was started with (or what made it ask differently, such as an argument that "
            "changes from run to run), and start the process again.",
            run_id=self.run_id,
            key=key,
        )
        self._wait_for_mend(difference, may_be_load=told if may_be_load or self.is_loose else None)

    def read(self, key: str, load: Callable[[], T], *, what: str = "") -> T:
        """What `load` reads of this call's record. Where that cannot be read, the run is parked as for a difference.
        `what` the call is, for people.
        """
        try:
            return load()
        except SerializationError as error:
            self._wait_for_mend(
                SerializationError(
                    f"run {self.run_id} of {self.name} cannot go on: what is recorded for call {key}"
                    f"{what and f' ({what})'} cannot be read: {error}. The run is parked and nothing is lost: mend "
                    "that, or bring back the code that can read it, and start the process again.",
                    path=error.path,
                )
            )

    def _wait_for_mend(self: Self, difference: PerdureError, *, may_be_load: str | None = None) -> NoReturn:
        if self.difference is None:
            self.difference = difference
            self.interrupt("differs")
            self.host.park_for_mend(self, str(difference), may_be_load=may_be_load)
            self.host.interrupt(self)
        raise RunInterrupted(str(self.difference)) from self.difference

    @property
    def is_replaying(self) -> bool:
        """Whether there is more in the history than was asked for."""
        children = self.children
        return bool(self.checkpoints) or any(key not in children.asked for key in children.recorded)

    @property
    def is_repeating(self) -> bool:
        """Whether what the code does now was done before. Unlike `is_replaying` it never stays so: a branch that is not
        gone again to its end leaves its records untaken.
        """
        if self.is_behind:
            return True
        recorded = self.children.recorded
        return any("/" not in key for key in self.checkpoints) or any(
            "/" not in key and key not in self.children.asked for key in recorded
        )

    @property
    def has_recorded(self) -> bool:
        """Whether anything is recorded that was not asked for, or children."""
        return bool(self.checkpoints or self.children.recorded)

    def check_all_taken(self) -> None:
        """At the end: what the first branch had recorded must have been asked for."""
        for key, recorded in self.checkpoints.items():
            if "/" not in key:
                self.differ(key, f"{recorded.kind} {recorded.name}", "nothing: the workflow has ended")
        for key, child in self.children.recorded.items():
            if "/" not in key and key not in self.children.asked:
                self.differ(key, f"a child run of {child.name}", "nothing: the workflow has ended")


def called(checkpoint: Checkpoint) -> ChildRow:
    """The run that a call has started, or found. What has become of it is not known here."""
    run_id = json.loads(checkpoint.outcome.text)
    return ChildRow(
        run_id, checkpoint.key, checkpoint.name, checkpoint.fingerprint, "ready", arguments=checkpoint.arguments
    )


def read_order_log(log: Any) -> Iterable[tuple[int, str]]:
    """The deliveries of one `order` checkpoint: `[first position, key, key, ...]`."""
    first, *keys = log
    return zip(count(first), keys, strict=False)
