"""Flows and drivers: a durable operation asks, a host answers, and a driver goes from one to the other.

A flow is a generator that yields *requests* and is sent the answers, so that it is written once for threads and for
asyncio (the shape of psycopg 3's generators and of httpx's auth flows), and so that a test can stop the world at
every request. A host knows how to answer: with blocking calls for `drive`, with awaitables for `adrive`.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Collection, Generator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from msgspec import Struct

from .._entries import Entry, EventSeen, HookOpened, HookTimedOut, MessageSent, RunCreated, Wait
from .._streams import StreamWritten
from ..errors import RunInterrupted
from ..typing import RunId
from .carried import CarriedStopError
from .tracebacks import forget_frames

if TYPE_CHECKING:
    from .run import Host, Run
    from .several import Several
    from .step_call import StepCall

T = TypeVar("T")


class Outcome(Struct):
    """How a body ended: with a value, or with an error. Both are the user's: no repr shows them."""

    value: Any = None
    error: BaseException | None = None
    is_own: bool = False
    """Of an error that ends programs: whether the body raised it by itself, and no signal came."""
    is_cut_off: bool = False
    """Of an error: whether what ran the body ended, so that it is not known what the body did."""

    def __repr__(self) -> str:
        return "Outcome()"


class Settle(Struct):
    """Wait until everything that the run has handed to the journal so far is committed. Answer: the time, as `Now`."""

    method: ClassVar = "settle"


class Begin(Struct):
    """A body without effects begins: nothing is waited for. Answer: the time, as `Now`."""

    method: ClassVar = "begin"


class Record(Struct):
    """Hand an entry to the journal, wait for nothing."""

    entry: Entry
    may_wait: bool = False
    """Whether it can share the commit of what comes next."""
    method: ClassVar = "record"


class Write(Struct):
    """Hand chunks of a stream to the journal, to share a row with those that still wait there; wait for nothing."""

    entry: StreamWritten
    method: ClassVar = "write"


class Commit(Struct):
    """Hand an entry to the journal and wait for its verdict."""

    entry: Entry
    method: ClassVar = "commit"


class Attempt(Struct):
    """Run the body of a step once. Answer: its `Outcome`."""

    call: StepCall
    number: int
    method: ClassVar = "attempt"


class Execute(Struct):
    """Run the function of a workflow in the run's first branch. Answer: its `Outcome`."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    method: ClassVar = "execute"

    def __repr__(self) -> str:
        return f"Execute(function={self.function!r})"


class Pause(Struct):
    """Wait, not durably, between two attempts."""

    seconds: float
    method: ClassVar = "pause"


class NoteRetry(Struct):
    """Tell people that an attempt has failed, and that the next one begins in so many seconds."""

    call: StepCall
    failed: int
    error: BaseException
    seconds: float
    method: ClassVar = "note_retry"


class Turn(Struct):
    """Wait until the call's outcome may be handed over: it is due in the run's order, and the run is at rest. Answer:
    its position, and whether that was recorded.

    Nothing is handed over in a run that is interrupted, however due it is: that raises `RunInterrupted`. No code of the
    run reacts any more, so an instant call that follows from one outcome would be missed behind the place of the next.
    """

    key: str
    is_numbered: bool = True
    """Without a number it waits for the rest alone, and the answer means nothing."""
    is_cancel: bool = False
    """What is handed over is that the run's own code has cancelled the call: that follows from what was handed over
    before, and needs no rest.
    """
    due_at: float | None = None
    """When it came to be, of what is over by the clock alone: what has become due while nobody executed the run is
    handed over in the order of the times.
    """
    method: ClassVar = "turn"


class GiveBack(Struct):
    """The position of the turn that was just had is not taken: nothing was handed over. The next call may have it."""

    position: int
    method: ClassVar = "give_back"


class CatchUp(Struct):
    """Wait until everything recorded was handed over: only then may the run do anything new."""

    key: str
    method: ClassVar = "catch_up"


class BeginReplay(Struct):
    """Wait until the run may replay: one that differed when many replayed at once does so beside no other."""

    method: ClassVar = "begin_replay"


class LogTurn(Struct):
    """Add a delivery to the run's order log."""

    position: int
    key: str
    method: ClassVar = "log_turn"


class StayOpen(Struct):
    """Wait until the run's own code cancels the call, as it did when it ran first."""

    key: str
    method: ClassVar = "stay_open"


class DurableWait(Protocol):
    """A request to wait durably: what it waits for, so that a run that is parked meanwhile wakes by it."""

    @property
    def runs(self) -> Collection[RunId]:
        """One of these ends."""

    @property
    def wait(self) -> Wait | None:
        """Others send or say this."""

    @property
    def due_at(self) -> float | None:
        """This time comes (seconds since the epoch)."""


class AwaitEnd(Struct, eq=False):
    """Wait durably for a run to end. Answer: `EndedRun`."""

    run_id: RunId
    wait: ClassVar[Wait | None] = None
    due_at: ClassVar[float | None] = None
    method: ClassVar = "await_end"

    @property
    def runs(self) -> Collection[RunId]:
        """See `DurableWait`."""
        return (self.run_id,)


class AwaitAny(Struct, eq=False):
    """Wait durably for one of several runs to end. Answer: the key of the call that waits for it, None when it is
    `due_at` first.
    """

    several: Several
    due_at: float | None = None
    wait: ClassVar[Wait | None] = None
    method: ClassVar = "await_any"

    @property
    def runs(self) -> Collection[RunId]:
        """See `DurableWait`."""
        return self.several.calls.values()


class Await(Struct, eq=False):
    """Wait durably for something that others send to the run, or say. Answer: the `Arrival`, the caller's alone, or
    what is seen of an event, for good; None when it is `due_at` first.
    """

    wait: Wait
    due_at: float | None = None
    seen: EventSeen | None = None
    """Of an event: what the last look has found."""
    runs: ClassVar[Collection[RunId]] = ()
    method: ClassVar = "await_arrival"


class Send(Struct):
    """Hand messages, answers to hooks among them, to the journal and wait for the verdicts. Answer: these, in the order
    of the entries.
    """

    entries: Sequence[MessageSent]
    method: ClassVar = "send"


class OpenHook(Struct):
    """Hand the opening of a hook to the journal. `waits`: the token may be taken, so wait for the verdict, which is the
    answer; on an event loop that blocks.
    """

    entry: HookOpened
    waits: bool
    method: ClassVar = "open_hook"


class CloseHook(Struct):
    """Hand to the journal that an answer did not come in time, and wait for the verdict: one may have been first."""

    entry: HookTimedOut
    method: ClassVar = "close_hook"


class AwaitTime(Struct, eq=False):
    """Wait durably for a time (seconds since the epoch)."""

    due_at: float
    runs: ClassVar[Collection[RunId]] = ()
    wait: ClassVar[Wait | None] = None
    method: ClassVar = "await_time"


class Now(Struct):
    """Seconds since the epoch."""

    method: ClassVar = "now"


class Chance(Struct):
    """A random number in [0, 1)."""

    method: ClassVar = "chance"


class LoadHistory(Struct):
    """Everything that the run has recorded. Answer: `HistoryRows`."""

    method: ClassVar = "load_history"


class Compute(Struct):
    """Do work that takes noticeable time in Python, beside an event loop and not on it. Answer: what it returns."""

    work: Callable[[], Any]
    method: ClassVar = "compute"


class StartChild(Struct):
    """Hand a child's `RunCreated` to the journal and start it when that is committed.

    `waits`: an id of the caller's may be taken, so wait for the verdict, which is the answer.
    """

    entry: RunCreated
    waits: bool = False
    method: ClassVar = "start_child"


Request = (
    Settle
    | Begin
    | Record
    | Write
    | Commit
    | Attempt
    | Execute
    | Pause
    | NoteRetry
    | Turn
    | GiveBack
    | CatchUp
    | BeginReplay
    | LogTurn
    | StayOpen
    | AwaitEnd
    | AwaitAny
    | Await
    | Send
    | OpenHook
    | CloseHook
    | AwaitTime
    | Now
    | Chance
    | LoadHistory
    | Compute
    | StartChild
)
Flow = Generator[Request, Any, T]


class CallCancelled(BaseException):
    """Thrown into a flow where the code that awaits it was cancelled; the driver turns it back when it comes out."""


def drive(flow: Flow[T], run: Run, host: Host[Any] | None = None) -> T:
    """Run a flow to its end with blocking answers, those of the run's host unless another is given.

    What ends the program comes out as it is, and with it ends the run's claim: see `Run.exits`.
    """
    answer, send = (host or run.host).answer, flow.send
    try:
        request = send(None)
        while True:
            try:
                reply = answer(run, request)
            except BaseException as error:
                request = flow.throw(error)
            else:
                request = send(reply)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # the generator's type says T
    except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
        run.exits(error)
        raise
    except CarriedStopError as carried:
        stopped = carried.error
    raise stopped  # here, where it gets no context of ours


async def adrive(flow: Flow[T], run: Run) -> T:
    """Run a flow to its end on an event loop. A cancellation of the awaiting task reaches the flow as
    `CallCancelled`.
    """
    answer, send = run.host.answer, flow.send
    cancellation: CancelledError | None = None
    try:
        request = send(None)
        while True:
            try:
                reply = answer(run, request)
                if hasattr(reply, "__await__"):
                    reply = await reply
            except CancelledError as error:
                cancellation = error
                request = flow.throw(CallCancelled())
            except BaseException as error:
                request = flow.throw(error)
            else:
                request = send(reply)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # the generator's type says T
    except (KeyboardInterrupt, SystemExit) as error:
        run.exits(error)
        raise
    except (CallCancelled, RunInterrupted):
        if cancellation is not None:
            raise cancellation from None
        if run.interruption == "closing":  # what the loop's own end says to every task, and expects of it
            raise CancelledError from None
        raise
    except Exception as error:
        forget_frames(error)
        raise
