"""The journal: one commit for many runs.

Everything that a run makes durable is an entry in its *lane*, a queue of its own. Whoever holds the journal's turn
takes a batch of what waits in all lanes and applies it in one transaction, then wakes those who wait. A thread that
waits takes the turn itself when it is free (leader and followers: no hand-over between threads). An event loop sends a
batch and lets its socket say when the answer is there, where the store can do that (`asyncio.leader`). The writer
thread takes the turn for everybody else. A batch starts as soon as the one before it is committed; nobody waits for a
timer.

Invariants: the entries of a lane are applied in their order, and after one that was refused none of the lane's later
ones is applied. Nothing is acknowledged before its commit. A batch whose outcome is unknown goes again, the same, and
void under another worker id but for what outsiders made. Whoever takes the turn first waits for what a loop has sent.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from ..._core.run import Run
from ..._entries import Accepted, Entry, Refused, RunCreated, StepRecorded, Verdict, entry_bytes
from ..._streams import StreamWritten
from ...errors import RunInterrupted
from ...stores.protocol import SentBatch, Store
from ...typing import RunId
from .chunks import PendingChunks
from .lanes import Batch, Lane, OnVerdict, Pending, Ring, departure
from .sender import Sender
from .writer import Writer

log = logging.getLogger("perdure")

QUEUED_BYTES = 64 << 20
"""Beyond this, who hands in an entry waits until some are committed; not with the end of a claim, which makes room."""
ROOMY = (StepRecorded, RunCreated)


def release(signal: threading.Lock) -> None:
    """Wake who waits for the signal; once more does no harm."""
    with suppress(RuntimeError):
        signal.release()


class Journal:
    """The lanes of one process and the turn to write. `on_fenced`, `on_lost` and `on_unknown` tell the other parts."""

    def __init__(
        self,
        store: Store,
        *,
        worker_id: Callable[[], str],
        on_fenced: Callable[[], None],
        on_lost: Callable[[Run, BaseException], None],
        on_unknown: Callable[[], None],
    ) -> None:
        self._store = store
        self.worker_id = worker_id
        self._on_lost = on_lost
        self._on_unknown = on_unknown
        self.ring = Ring()
        self._turn = threading.RLock()
        """Never entered twice; what this kind of lock can tell is whether the thread has it, after Ctrl-C too."""
        self._holder = 0
        """The thread that commits right now: it must not wait for itself."""
        self._under_way: Batch = []
        """Taken and not yet settled. Stays when the committing thread is interrupted (Ctrl-C): then it goes again."""
        self._sent_by = ""
        """The worker id under which it was sent last."""
        self._sent: SentBatch | None = None
        """The same, where a loop has sent it and nobody has the answer yet."""
        self._asking: Callable[[], bool] | None = None
        """Tells the loop that found the turn taken that it is free; False where that loop is closed."""
        self.batches = 0
        """How many were ever sent."""
        self._had_many = False
        self._writer = Writer(self)
        self.call_writer = self._writer.call
        self.pause = self._writer.pause
        self._sender = Sender(self, store, on_fenced=on_fenced, on_unknown=on_unknown)

    def append(self, lane: Lane, entry: Entry, on_verdict: OnVerdict | None = None, *, leads: bool = False) -> int:
        """Queue an entry; its number in the lane. `leads`: the caller will wait, or call the writer, itself."""
        number = self.ring.push(lane, Pending(entry, on_verdict, entry_bytes(entry)))
        if not leads:
            self.call_writer()
        elif not self._writer.expects_laggards:
            self._writer.expect_laggards()
        if self.ring.bytes > QUEUED_BYTES and isinstance(entry, ROOMY) and self._holder != threading.get_ident():
            self.wait(lane, number)
        return number

    def append_turn(self, lane: Lane, run: Run, position: int, key: str) -> None:
        """Add a delivery to the run's order log, in the row that is still waiting if there is one."""
        self.ring.push_turn(lane, run, position, key)
        if not self._writer.expects_laggards:
            self._writer.expect_laggards()

    def append_chunks(self, lane: Lane, entry: StreamWritten, on_verdict: OnVerdict) -> None:
        """Add to a stream, in the row that is still waiting if there is one. Any thread; nobody waits for it."""
        self.ring.push_or_join(lane, PendingChunks.of(entry, on_verdict))
        if not self._writer.expects_laggards:
            self._writer.expect_laggards()
        if self.ring.bytes > QUEUED_BYTES and self._holder != threading.get_ident():
            self.wait(lane, lane.appended)

    def wait(self, lane: Lane, number: int) -> None:
        """Block until the lane's `number`-th entry is committed; commits on this thread where the turn is free."""
        while lane.committed < number:
            lane.check()
            if self.lead():
                continue
            signal = threading.Lock()
            signal.acquire()
            if self.watch(lane, number, partial(release, signal)):
                signal.acquire()
        lane.check()

    def lead(self) -> bool:
        """Commit a batch on this thread, if the turn is free; else who has it sees to what waits. False where it is
        not, or nothing is to go now. Ctrl-C may strike between any two instructions.
        """
        try:
            return self._turn.acquire(blocking=False) and self._commit_batch()
        finally:
            if self._turn._is_owned():  # type: ignore[attr-defined]  # as `threading.Condition` asks its lock
                self._turn.release()
                self._call_if_left()

    def watch(self, lane: Lane, number: int, wake: Callable[[], None]) -> bool:
        """Call `wake` once the lane's `number`-th entry is committed or the lane failed; False if it is so already."""
        with self.ring.lock:
            if lane.committed >= number or lane.failure is not None:
                return False
            lane.waiters.append((number, wake))
            return True

    def send(self, ask: Callable[[], bool] | None = None) -> SentBatch | None:
        """Send a batch without ever blocking, for an event loop, which calls `receive` when the answer is there. None
        where somebody else commits right now, who passes the turn on by `ask`, or the writer is to.
        """
        most = self._store.at_once(max(1, self.ring.waiting))
        if not most:
            self._writer.call(gives_way=self.ring.waiting >= self.ring.half)
            return None
        if self._sent is not None:
            return None
        self._asking = ask  # first: whoever has the turn looks after the release
        if not self._turn.acquire(blocking=False):
            return None
        self._asking = None
        try:
            if self._sent is None and not self._under_way:
                self.ring.take(self._under_way, most)
                if self._under_way:
                    self.batches += 1
                    self._sent_by = self.worker_id()
                    self._sent = self._store.begin(self._sent_by, [item.seal() for _, item in self._under_way])
        except Exception:  # whoever sends it again sees what is wrong
            log.debug("a batch could not be sent from an event loop; the writer does so", exc_info=True)
        finally:
            self._turn.release()
            if self._sent is None or not self._sent.is_sent:
                self._call_if_left()
        return self._sent

    @property
    def is_shared(self) -> bool:
        """Whether runs share their commits right now: the last batch was of several, or somebody waits already."""
        return self._had_many or self.ring.waiting > 1

    def receive(self, sent: SentBatch) -> bool:
        """Settle what a loop has sent, if the answer is there; False if not."""
        if self._sent is not sent:
            return True  # somebody else was there first
        if not self._turn.acquire(blocking=False):
            return False
        try:
            if self._sent is sent and not sent.is_answered():
                return False
            self._receive()
            return True
        finally:
            self._turn.release()
            if self._under_way and self._sent is None:
                self.call_writer()

    def _receive(self) -> None:
        """Wait for the answer to what a loop has sent, and settle it; after an error it goes again. Within the turn."""
        sent, self._sent = self._sent, None
        if sent is not None:
            try:
                verdicts = sent.verdicts()
            except Exception:
                log.debug("a batch that was sent from an event loop goes again", exc_info=True)
                return
            self._guarded(lambda: self.settle(self._under_way, verdicts))
            self._under_way = []

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the journal's turn for another decision of this worker."""
        try:
            with self._turn:
                self._receive()
                yield
        finally:
            self._call_if_left()

    def _call_if_left(self) -> None:
        """After the turn: what was handed in meanwhile is for the loop that found it taken, else for the writer."""
        if not self._pass_on() and self.has_work:
            self.call_writer()

    def _pass_on(self) -> bool:
        """Whether a loop goes on, which would hand everything over to another thread and back otherwise."""
        asking, self._asking = self._asking, None
        return asking is not None and self._writer.stop_at is None and asking()

    def _commit_batch(self) -> bool:
        """Commit what the next batch holds; whether there is one. Within the turn."""
        self._receive()
        batch = self._under_way
        is_new = not batch
        if is_new and self.ring.has_aside:
            self.ring.take_due(batch)
        if not batch:
            self.ring.take(batch)
        if batch:
            self.batches += 1
            self._sent_by = under = self.worker_id() if is_new else self._sent_by
            self._guarded(lambda: self._sender.bring(batch, under))
            self._under_way = []
        return bool(batch)

    def _guarded(self, commit: Callable[[], None]) -> None:
        """Nothing may go wrong in there; if it does, the runs of the batch end here, and everybody else goes on."""
        self._holder = threading.get_ident()
        try:
            commit()
        except Exception as error:
            log.exception("a batch failed in a way that was not foreseen; its runs are lost here")
            self._on_unknown()
            self.fail(self._under_way, error)
        finally:
            self._holder = 0

    def settle(self, batch: Batch, verdicts: list[Verdict]) -> None:
        """Committed: tell each entry's owner, then wake who waits; Ctrl-C meanwhile keeps nobody else from hearing."""
        failed: Batch = []
        interrupt: BaseException | None = None
        for (lane, item), verdict in zip(batch, verdicts, strict=True):
            if isinstance(verdict, Refused):
                failed.append((lane, item))
                continue
            if type(item.entry) is RunCreated and isinstance(verdict, Accepted) and verdict.state is not None:
                self._check_held(lane, item.entry)
            if item.on_verdict is not None:
                try:
                    item.tell(verdict)
                except BaseException as error:
                    interrupt = error
        refused = {id(item) for _, item in failed}
        with self.ring.lock:
            for lane, item in batch:
                if not item.is_counted and (not refused or id(item) not in refused):
                    item.is_counted = True
                    lane.committed += 1
            in_batch = {id(lane): lane for lane, _ in batch}
            self._had_many = len(in_batch) > 1
            self.ring.note_committed(len(batch))
            lanes = [lane for lane in in_batch.values() if lane.waiters]
            wakes = [wake for lane in lanes for number, wake in lane.waiters if number <= lane.committed]
        for wake in wakes:
            wake()
        if lanes:  # only now: Ctrl-C may have struck before the last was woken, and then all are woken again
            with self.ring.lock:
                for lane in lanes:
                    lane.waiters = [waiter for waiter in lane.waiters if waiter[0] > lane.committed]
        if failed:
            self.fail(failed, RunInterrupted("the claim on this run has ended; another worker may hold it now"))
        if interrupt is not None:
            raise interrupt

    def _check_held(self, lane: Lane, entry: RunCreated) -> None:
        """The run is made, and not held under this claim any more: what executes it here begins no body (rule 16)."""
        run = lane.run
        if run is not None and run.claim == entry.held_as:
            self.fail_lane(lane, RunInterrupted(f"run {run.run_id} was let go of before it was known to be made"))

    def fail(self, batch: Batch, error: BaseException) -> None:
        """None of it is, or will be, recorded: its lanes end."""
        by_lane: dict[Lane, list[Pending]] = {}
        for lane, item in batch:
            by_lane.setdefault(lane, []).append(item)
        for lane, items in by_lane.items():
            self.fail_lane(lane, error, items)

    def fail_lane(self, lane: Lane, error: BaseException, sent: list[Pending] | None = None) -> None:
        """End the lane: `sent` and what waits in it is void, but for a run's creation where only a claim ended."""
        waiting, wakes = self.ring.clear(lane, error)
        for item in (*(sent or ()), *waiting):
            is_to_go_again = isinstance(error, RunInterrupted) and not self.is_closed
            if item.is_outside and is_to_go_again and isinstance(item.entry, RunCreated):
                item.entry.held_as = None
                self.append(Lane(), item.entry, item.on_verdict)
            else:
                item.tell(Refused(str(error)))
        run = lane.run
        if run is not None:
            self._on_lost(run, error)
        for wake in wakes:
            wake()

    @property
    def is_closed(self) -> bool:
        """Whether nothing is committed here any more."""
        return self.ring.is_closed

    @property
    def has_work(self) -> bool:
        """Whether anything is not committed yet."""
        return bool(self.ring or self._under_way)

    @property
    def pushed(self) -> int:
        """How many entries were ever handed in."""
        return self.ring.pushed

    def commit_all(self) -> None:
        """Commit until nothing is left or a loop goes on with it, on this thread."""
        while self.has_work and not self._pass_on():
            with self._turn:
                self._commit_batch()

    def start(self) -> None:
        """Start the writer thread."""
        self._writer.start()

    @property
    def is_late(self) -> bool:
        """Whether the journal stops, and has tried for as long as it may."""
        return self._writer.stop_at is not None and time.monotonic() > self._writer.stop_at

    def run_ids(self) -> list[RunId]:
        """The runs that something handed in is about and not settled. Within the turn."""
        return [*self.ring.run_ids(), *(item.entry.run_id for _, item in self._under_way)]

    @property
    def is_unsure(self) -> bool:
        """Whether something was sent whose outcome is not known yet. Within the turn."""
        return bool(self._under_way or self.ring.has_aside)

    def stop(self, deadline: float) -> None:
        """Commit what waits, for as long as the database answers before `deadline` (monotonic), and end the thread."""
        self.ring.hasten()
        self._writer.stop(deadline)

    def close(self, seconds: float) -> None:
        """Nothing is committed here any more: tell whoever waits, and whoever comes later. Waits so long for a commit
        that is under way.
        """
        for lane in self.ring.close():
            self.fail_lane(lane, departure(lane))
        if self._turn.acquire(timeout=seconds):
            if self._sent is not None and self._sent.wait(seconds):
                self._receive()
            self._turn.release()
