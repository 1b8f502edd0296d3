"""The Store protocol: every question and every decision, each one database transaction.

What the methods promise is the same for all stores and is checked by one contract suite (`tests/stores`).
The guards come from the protocol page of the documentation; the rule numbers below refer to it.
A store knows no workflow code, decides nothing, starts no thread and keeps no clock of its own but the database's.

Threads: `apply`, `begin`, `reconcile` and `workers.take_over` are called by one thread at a time (the journal's turn).
So is `claim`; where the store `may_claim_beside` a batch it is called outside that turn, but never beside another
claim, `reconcile`, or what a fenced worker does. The heartbeat's thread alone calls `workers.renew`, on its own
connection; everything else is called by any thread.
Errors: `StoreUnavailableError` where the outcome may be unknown (call again: every write finds its own traces), its
`NothingDone` where it is known, `UnsupportedStoreError` where a permission or a table is missing, `StoreRefusedError`
where the data itself is refused, `Fenced` where this worker has lost its right to write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from .._entries import Arrival as Arrival
from .._entries import Checkpoint as Checkpoint
from .._entries import ChildRow as ChildRow
from .._entries import EndedRun as EndedRun
from .._entries import Entry, MessageSent, RunCreated, Verdict
from .._entries import HistoryRows as HistoryRows
from ..errors import StoreUnavailableError
from ..typing import RunId
from .cancels import Cancels as Cancels
from .claimed import NO_FLOORS as NO_FLOORS
from .claimed import Claimed as Claimed
from .claimed import ClaimedRun as ClaimedRun
from .claimed import ClaimRequest as ClaimRequest
from .claimed import Floor as Floor
from .claimed import LastAttempts as LastAttempts
from .finding import Finder
from .finding import Said as Said
from .keeping import Expiry as Expiry
from .keeping import Keeper as Keeper
from .keeping import Rows as Rows
from .limits import Limits as Limits
from .limits import SetLimits as SetLimits
from .looks import Hint as Hint
from .looks import Locks as Locks
from .looks import Mail as Mail
from .looks import Pulse as Pulse
from .looks import ToldRun as ToldRun
from .mending import Mending as Mending
from .questions import Question as Question
from .questions import Questions as Questions
from .runs import RunRow as RunRow
from .runs import Runs as Runs
from .schedules import DueSchedule as DueSchedule
from .schedules import Firing as Firing
from .schedules import ScheduleRow as ScheduleRow
from .schedules import Schedules
from .steering import Steering as Steering
from .tails import Tail
from .within import Within
from .workers import Served as Served
from .workers import WorkerRow as WorkerRow
from .workers import Workers as Workers


class Fenced(Exception):  # noqa: N818  # a state of this worker, not a mistake of anybody
    """This worker's row is gone, or the database has failed over: drop every run and join again under a new id."""


class NothingDone(StoreUnavailableError):  # noqa: N818  # what the database says
    """The database was there and says that it did nothing of it: its outcome is known.

    `may_be_entry`: perhaps for what was to be written, as with a statement that takes too long; else the trouble is the
    store's, for everybody who asks the same. `locked`: the runs whose rows somebody else has locked, as far as known.
    """

    def __init__(self, message: str, *, may_be_entry: bool = False, locked: Collection[RunId] = ()) -> None:
        super().__init__(message)
        self.may_be_entry = may_be_entry
        self.locked = frozenset(locked)


class Session(Protocol):
    """A worker's own line to the database: its lock, which the system releases when it dies, and what others say.

    For one thread, the heartbeat's, but for `poke`. Errors as of a store; after one, `hold` begins anew.
    """

    def hold(self, worker_id: str) -> None:
        """See to it that this worker's lock is held, where there are locks: no statement where it is."""

    def listen(self) -> None:
        """Hear what others say, without a lock: for a process that executes nothing. No statement where it does."""

    def locks(self) -> Locks | None:
        """One look at the locks of all workers; None where there are none here."""

    def say(self, hint: Hint) -> None:
        """Tell the other processes, in few and short messages. Nobody may hear it."""

    def wait(self, seconds: float) -> list[Hint]:
        """What others say, as soon as they say it; nothing after so long, or when poked."""

    def poke(self) -> None:
        """End the wait, or the next one. Any thread."""

    def close(self) -> None:
        """Let go of the lock and the line."""


class SentBatch(Protocol):
    """A batch on its way: sent, and perhaps not answered. For one thread at a time, the one that has the turn."""

    connection: int
    """Another number for every connection that is opened: a socket's number is used again."""

    @property
    def is_sent(self) -> bool:
        """Whether all of it has left. If not, `wait` sees to that; the socket will not be readable before."""

    def fileno(self) -> int:
        """What an event loop may watch: readable when something of the answer is there. -1: all of it is."""

    def is_answered(self) -> bool:
        """Whether `verdicts` will not wait."""

    def wait(self, seconds: float | None = None) -> bool:
        """Block until it is answered, or for so long; whether it is."""

    def verdicts(self) -> list[Verdict]:
        """As `Store.apply`, errors too; waits where it is not answered. Once."""


class Store(Protocol):
    """One database. See the module for threads and errors."""

    lock_directory: str
    """Where the workers of this database, and of no other, keep their lock files on this machine. Known, and made, by
    `migrate`.
    """
    on_cancelled: Callable[[Sequence[RunId]], None] | None
    """Called within `apply`, or `verdicts`, after a commit, with the runs that this worker holds and somebody has
    cancelled, for as long as they are not ended (rule 8).
    """

    workers: Workers
    """The processes that may write; see `stores.workers`."""
    runs: Runs
    """What runs are and have recorded; see `stores.runs`."""
    cancels: Cancels
    """Ends runs from outside; see `stores.cancels`."""
    mending: Mending
    """Runs that wait for other code; see `stores.mending`."""
    finder: Finder
    """Reads what people ask for; see `stores.finding`."""
    steering: Steering
    """Does what people ask for; see `stores.steering`."""
    said: Said
    """Reads what runs say to others."""
    questions: Questions
    """What runs are asked by those who do not hold them."""
    schedules: Schedules
    """What comes by the clock."""
    within: Within
    """Makes runs in a user's own transaction; after `migrate`, or `check`."""

    @property
    def tail(self) -> Tail:
        """What ends a user's own transaction in this database."""

    @property
    def keeper(self) -> Keeper:
        """Takes whole runs out, puts them in, and removes what is old; see `stores.keeping`."""

    @property
    def limits(self) -> Limits:
        """What is set for queues and functions; see `stores.limits`."""

    def migrate(self) -> None:
        """Bring the schema up to date; safe when several processes do it at once. Refuses a schema newer than
        the code.
        """

    def check(self) -> None:
        """Raise `UnsupportedStoreError` where the schema is not there, or not exactly that of this release. Makes and
        changes nothing.
        """

    def missing_sql(self) -> str:
        """What `migrate` would run now, for people to read, or to run themselves; empty where nothing is missing."""

    def session(self) -> Session:
        """A line of its own for this process. Opens nothing yet."""

    def create(self, entries: Sequence[RunCreated | MessageSent]) -> list[Verdict]:
        """Rule 6: what an outsider makes, ready runs, messages and answers to hooks, in one transaction; one verdict
        per entry, in order. They carry no claim and touch no row that anybody holds, so no worker's right to write is
        needed. The same again is success.
        """

    def apply(self, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        """Rules 1, 2 and 6: fence, then all entries set-wise, then commit; one verdict per entry, in order.

        Kinds are applied in the order of `stores.kinds.KINDS`, the ends of claims last. Applying
        the same entries again is success. A refused entry refuses the later ones of its claim. A run that ends as
        `cancelled` passes the cancel on to its unfinished children. The number of statements does not depend on the
        number of entries. A creation that is sent again and whose run is not held under its `held_as` any more is
        `Accepted` with the run's state (rule 16). It waits for a foreign lock for a moment only. No entries: whether it
        would take any.
        """

    def at_once(self, waiting: int) -> int:
        """How many of the entries that wait (one or more) `begin` may be given now; 0 where `apply` is to be called."""

    def begin(self, worker_id: str, entries: Sequence[Entry]) -> SentBatch | None:
        """`apply` without waiting for the answer, for event loops; nothing else of the turn may be called before it is
        there. None, and nothing has happened, where that would block for longer than a loop may stand still: then
        `apply` is to be called.
        """

    @property
    def may_claim_beside(self) -> bool:
        """Whether `claim` may be called while a batch is under way: it has a connection of its own, and no count that
        both would have to make."""

    def claim(self, worker_id: str, request: ClaimRequest, claims: Sequence[str]) -> Claimed:
        """Rules 1, 4, 7, 11 and 14: take up to `slots` claimable runs of each queue, oldest of the lowest priority
        first; where runs have keys, of each key in its turn. What it costs does not depend on runs of functions that
        are not asked for, nor on those of other queues. A queue whose limits hold for all workers gives what those
        leave, after the runs that are `resuming`; another one lets all of these go on. A queue may be asked for no
        slots.

        Claimable: ready and due; parked and due; parked and told something, where one of its `waits_for` has come: the
        mailbox is read first (rule 13). What the worker's own version of the code has refused is passed by. Parked with
        a cancel is left to `cancels.sweep`. `claims` are fresh claim ids, at least as many as the sum of the slots.
        Charges the attempt; the count starts anew when step checkpoints were added.
        """

    def reconcile(self, worker_id: str, known: Collection[RunId]) -> list[RunId]:
        """Rule 5: hand back, uncharged, what this worker holds in the database and not in `known`."""

    def hear(self, worker_id: str, heard: Collection[int]) -> Mail:
        """Rule 13: look at the runs that were told something: what is over becomes ready, what is held goes on to its
        worker. Returns what this worker is told, again and again until it has `heard` the row by its number.
        """

    def pulse(
        self,
        worker_id: str,
        queues: Collection[str],
        names: Collection[str],
        floors: Mapping[str, Floor] = NO_FLOORS,
    ) -> Pulse:
        """The bounded poll, in one statement. `floors` as in a claim."""

    def health(self) -> dict[str, str]:
        """What the database says of itself, for people."""

    def close(self) -> None:
        """Close every connection. Idempotent."""

    def abandon(self) -> None:
        """In a forked child: forget every connection without closing it, so that the parent's stay whole."""
