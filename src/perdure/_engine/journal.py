"""The journal: one commit for many runs.

Everything that a run makes durable is an entry in its *lane*, a queue of its own. Whoever holds the journal's turn
takes a batch of what waits in all lanes and applies it in one transaction, then wakes those who wait. A thread that
waits takes the turn itself when it is free (leader and followers: no hand-over between threads); the writer thread
takes it for everybody else. A batch starts as soon as the one before it is committed; nobody waits for a timer.

Invariants: the entries of a lane are applied in their order, and after one that was refused none of the lane's later
ones is applied. Nothing is acknowledged before its commit. A batch whose outcome is unknown goes again, the same.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .._core.run import Run
from .._entries import Entry, Refused, RunCreated, RunFinished, StepRecorded, Verdict
from ..errors import RunInterrupted, StoreRefusedError, StoreUnavailableError
from ..stores.protocol import Fenced, Store

log = logging.getLogger("perdure")

BATCH_ENTRIES = 1000
BATCH_BYTES = 1 << 20
SLICE_ENTRIES = 64
"""The most of one lane in one round, so that a run that makes a million children does not stop a lone one."""
QUEUED_BYTES = 64 << 20
"""Beyond this, who hands in an entry waits until some are committed."""
LAGGARD_SECONDS = 0.002
"""How long an entry that nobody waits for may lie before the writer thread looks for it."""

OnVerdict = Callable[[Verdict], None]


class Pending:
    """An entry that waits for its commit."""

    __slots__ = ("entry", "on_verdict", "size")

    def __init__(self, entry: Entry, on_verdict: OnVerdict | None) -> None:
        self.entry = entry
        self.on_verdict = on_verdict
        self.size = entry_bytes(entry)

    def seal(self) -> Entry:
        """The entry as it is sent."""
        return self.entry


class PendingTurns(Pending):
    """Deliveries for the order log; more join it until it is sent."""

    __slots__ = ("first", "keys", "run")

    def __init__(self, run: Run, first: int, key: str) -> None:
        self.run = run
        self.first = first
        self.keys = [key]
        self.on_verdict = None
        self.size = 200

    def seal(self) -> Entry:
        run = self.run
        outcome = run.serializer.dump([self.first, *self.keys], what="the order log")
        return StepRecorded(
            run.run_id, run.claim, f"#{self.first}", f"#{self.first}", "order", "order", "-", False, outcome
        )


class Lane:
    """What one claim, or one outsider, has handed in. `failure` ends it: nothing of it is applied from there on."""

    __slots__ = ("appended", "committed", "failure", "is_listed", "pending", "run", "waiters")

    def __init__(self, run: Run | None = None) -> None:
        self.run = run
        self.pending: deque[Pending] = deque()
        self.appended = 0
        self.committed = 0
        self.failure: BaseException | None = None
        self.is_listed = False
        self.waiters: list[tuple[int, Callable[[], None]]] = []

    @property
    def is_settled(self) -> bool:
        """Whether all that was handed in is committed."""
        return self.committed == self.appended

    def check(self) -> None:
        """Raise what ended the lane, if something did."""
        if self.failure is not None:
            raise self.failure


class Journal:
    """The lanes of one process and the turn to write. `on_fenced` and `on_lost` tell the runtime what was lost."""

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
        self._worker_id = worker_id
        self._on_fenced = on_fenced
        self._on_lost = on_lost
        self._on_unknown = on_unknown
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._ring: deque[Lane] = deque()
        self._bytes = 0
        self._wake = threading.Condition(threading.Lock())
        self._is_called = False
        self._expects_laggards = False
        self._stop_at: float | None = None
        self._writer: threading.Thread | None = None

    def append(self, lane: Lane, entry: Entry, on_verdict: OnVerdict | None = None, *, leads: bool = False) -> int:
        """Queue an entry; its number in the lane. `leads`: the caller's thread will wait, and may commit, itself."""
        number = self._push(lane, Pending(entry, on_verdict))
        if leads:
            self._expect_laggards()
        else:
            self.call_writer()
        if self._bytes > QUEUED_BYTES:
            self.wait(lane, number)
        return number

    def append_turn(self, lane: Lane, run: Run, position: int, key: str) -> None:
        """Add a delivery to the run's order log, in the row that is still waiting if there is one."""
        with self._lock:
            lane.check()
            tail = lane.pending[-1] if lane.pending else None
            if isinstance(tail, PendingTurns) and tail.first + len(tail.keys) == position:
                tail.keys.append(key)
                return
        self._push(lane, PendingTurns(run, position, key))
        self._expect_laggards()

    def _push(self, lane: Lane, item: Pending) -> int:
        with self._lock:
            lane.check()
            lane.pending.append(item)
            lane.appended += 1
            self._bytes += item.size
            if not lane.is_listed:
                lane.is_listed = True
                self._ring.append(lane)
            return lane.appended

    def wait(self, lane: Lane, number: int) -> None:
        """Block until the lane's `number`-th entry is committed; commits on this thread where the turn is free."""
        while lane.committed < number:
            lane.check()
            if self._turn.acquire(blocking=False):
                try:
                    self._commit_batch()
                finally:
                    self._turn.release()
                if self._ring:
                    self.call_writer()
            else:
                signal = threading.Lock()
                signal.acquire()
                if self.watch(lane, number, signal.release):
                    signal.acquire()
        lane.check()

    def watch(self, lane: Lane, number: int, wake: Callable[[], None]) -> bool:
        """Call `wake` once the lane's `number`-th entry is committed or the lane failed; False if it is so already."""
        with self._lock:
            if lane.committed >= number or lane.failure is not None:
                return False
            lane.waiters.append((number, wake))
            return True

    def commit(self, lane: Lane, entry: Entry) -> Verdict:
        """Append and wait for the verdict, on this thread."""
        verdicts: list[Verdict] = []
        number = self.append(lane, entry, verdicts.append, leads=True)
        self.wait(lane, number)
        return verdicts[0]

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the journal's turn for another decision of this worker, such as a claim."""
        with self._turn:
            yield
        if self._ring:
            self.call_writer()

    def _take_batch(self) -> list[tuple[Lane, Pending]]:
        """A slice of each lane in turn; a large entry alone."""
        batch: list[tuple[Lane, Pending]] = []
        size = 0
        with self._lock:
            ring = self._ring
            while ring and len(batch) < BATCH_ENTRIES:
                lane = ring.popleft()
                taken = 0
                while lane.pending and taken < SLICE_ENTRIES and len(batch) < BATCH_ENTRIES:
                    item = lane.pending[0]
                    if batch and size + item.size > BATCH_BYTES:
                        break
                    batch.append((lane, lane.pending.popleft()))
                    size += item.size
                    taken += 1
                if not lane.pending:
                    lane.is_listed = False
                    continue
                if size + lane.pending[0].size > BATCH_BYTES:
                    ring.appendleft(lane)
                    break
                ring.append(lane)
            self._bytes -= size
        return batch

    def _commit_batch(self) -> None:
        batch = self._take_batch()
        if batch:
            self._send(batch, [item.seal() for _, item in batch])

    def _send(self, batch: list[tuple[Lane, Pending]], entries: list[Entry]) -> None:
        pause = 0.05
        while True:
            try:
                verdicts = self._store.apply(self._worker_id(), entries)
            except Fenced:
                self._on_fenced()
                lost = RunInterrupted("this worker lost its right to write; another one goes on with its runs")
                self._finish_outsiders(batch, lost)
                return
            except StoreRefusedError as error:
                self._bisect(batch, entries, error)
                return
            except StoreUnavailableError as error:
                self._on_unknown()
                if self._stop_at is not None and time.monotonic() > self._stop_at:
                    self._fail(batch, error)
                    return
                log.warning("the database did not answer; the same batch goes again in %.2f s: %s", pause, error)
                with self._wake:
                    self._wake.wait(pause)
                pause = min(pause * 2, 2.0)
            except Exception as error:
                log.exception("a batch failed in a way that was not foreseen; its runs are given up here")
                self._fail(batch, error)
                return
            else:
                self._settle(batch, verdicts)
                return

    def _bisect(self, batch: list[tuple[Lane, Pending]], entries: list[Entry], error: StoreRefusedError) -> None:
        """The database refused one of them: find its lane, so that only that one fails."""
        lanes = list(dict.fromkeys(lane for lane, _ in batch))
        if len(lanes) == 1:
            if len(batch) > 1:
                half = len(batch) // 2
                self._send(batch[:half], entries[:half])
                if lanes[0].failure is None:
                    self._send(batch[half:], entries[half:])
                else:
                    self._fail(batch[half:], lanes[0].failure)
            else:
                self._fail(batch, error)
            return
        left = set(lanes[: len(lanes) // 2])
        for half_of in (True, False):
            part = [i for i, (lane, _) in enumerate(batch) if (lane in left) is half_of]
            self._send([batch[i] for i in part], [entries[i] for i in part])

    def _finish_outsiders(self, batch: list[tuple[Lane, Pending]], lost: BaseException) -> None:
        """After the fence: what outsiders handed in is sent again under the new worker; what runs did is void."""
        outside = [(lane, item) for lane, item in batch if lane.run is None]
        self._fail([(lane, item) for lane, item in batch if lane.run is not None], lost)
        for _, item in outside:
            if isinstance(item.entry, RunCreated):
                item.entry.held_as = None
        if outside:
            self._send(outside, [item.seal() for _, item in outside])

    def _settle(self, batch: list[tuple[Lane, Pending]], verdicts: list[Verdict]) -> None:
        """Committed: tell each entry's owner, then wake who waits."""
        failed: list[tuple[Lane, Pending]] = []
        for (lane, item), verdict in zip(batch, verdicts, strict=True):
            if isinstance(verdict, Refused):
                failed.append((lane, item))
                continue
            if item.on_verdict is not None:
                item.on_verdict(verdict)
        wakes: list[Callable[[], None]] = []
        refused = {id(item) for _, item in failed}
        with self._lock:
            for lane, item in batch:
                if id(item) not in refused:
                    lane.committed += 1
            for lane in dict.fromkeys(lane for lane, _ in batch):
                if lane.waiters:
                    wakes += [wake for number, wake in lane.waiters if number <= lane.committed]
                    lane.waiters = [waiter for waiter in lane.waiters if waiter[0] > lane.committed]
        for wake in wakes:
            wake()
        if failed:
            self._fail(failed, RunInterrupted("the claim on this run has ended; another worker may hold it now"))

    def _fail(self, batch: list[tuple[Lane, Pending]], error: BaseException) -> None:
        for lane in dict.fromkeys(lane for lane, _ in batch):
            self.fail_lane(lane, error, [item for owner, item in batch if owner is lane])

    def fail_lane(self, lane: Lane, error: BaseException, sent: list[Pending] | None = None) -> None:
        """End the lane: `sent` and all that waits in it is void."""
        with self._lock:
            if lane.failure is None:
                lane.failure = error
            void = [*(sent or ()), *lane.pending]
            self._bytes -= sum(item.size for item in lane.pending)
            lane.pending.clear()
            waiters, lane.waiters = lane.waiters, []
        for item in void:
            if item.on_verdict is not None:
                item.on_verdict(Refused(str(error)))
        if lane.run is not None:
            self._on_lost(lane.run, error)
        for _, wake in waiters:
            wake()

    def start(self) -> None:
        """Start the writer thread."""
        self._writer = threading.Thread(target=self._write, name="perdure-journal", daemon=True)
        self._writer.start()

    def call_writer(self) -> None:
        """There is something to commit and nobody else will."""
        if not self._is_called:
            with self._wake:
                self._is_called = True
                self._wake.notify_all()

    def _expect_laggards(self) -> None:
        if not self._expects_laggards:
            with self._wake:
                self._expects_laggards = True
                self._wake.notify_all()

    def _write(self) -> None:
        idle = 0
        while True:
            with self._wake:
                if not self._is_called:
                    if self._stop_at is not None and not self._ring:
                        return
                    self._wake.wait(LAGGARD_SECONDS if self._expects_laggards else None)
                called, self._is_called = self._is_called, False
            if not self._ring:
                idle += 1
                if idle > 10 and not called:
                    self._expects_laggards = False
                    if self._ring:
                        self._expects_laggards = True
                continue
            idle = 0
            with self._turn:
                while self._ring:
                    self._commit_batch()

    def stop(self, deadline: float) -> None:
        """Commit what waits, for as long as the database answers before `deadline` (monotonic), and end the thread."""
        with self._wake:
            self._stop_at = deadline
            self._is_called = True
            self._wake.notify_all()
        if self._writer is not None and self._writer is not threading.current_thread():
            self._writer.join(max(0.1, deadline - time.monotonic() + 1.0))


def entry_bytes(entry: Entry) -> int:
    """Roughly what the entry weighs in memory and on the wire."""
    if isinstance(entry, StepRecorded):
        return 200 + len(entry.outcome.text)
    if isinstance(entry, RunCreated):
        return 300 + len(entry.input.text)
    if isinstance(entry, RunFinished) and entry.output is not None:
        return 200 + len(entry.output.text)
    return 200
