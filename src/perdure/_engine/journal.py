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
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .._core.run import Run
from .._entries import Entry, Refused, RunCreated, Verdict
from ..errors import RunInterrupted, StoreRefusedError, StoreUnavailableError
from ..stores.protocol import Fenced, Store
from .lanes import Batch, Lane, OnVerdict, Pending, Ring, departure
from .threads import start_thread

log = logging.getLogger("perdure")

QUEUED_BYTES = 64 << 20
"""Beyond this, who hands in an entry waits until some are committed."""
LAGGARD_SECONDS = 0.004
"""How often the writer thread looks for entries that nobody waits for, while there are any."""
LOOKS_WHEN_IDLE = 8
"""After so many looks without a new entry it sleeps."""
LONGEST_PAUSE_SECONDS = 2.0


class Journal:
    """The lanes of one process and the turn to write. `on_fenced`, `on_lost` and `on_unknown` tell the runtime."""

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
        self._ring = Ring()
        self._turn = threading.RLock()
        """Never entered twice; what this kind of lock can tell is whether the thread has it, after Ctrl-C too."""
        self._holder = 0
        """The thread that commits right now: it must not wait for itself."""
        self._under_way: Batch = []
        """Taken and not yet settled. Stays when the committing thread is interrupted (Ctrl-C): then it goes again."""
        self._batches = 0
        self._wake = threading.Condition(threading.Lock())
        self._is_called = False
        self._expects_laggards = False
        self._stop_at: float | None = None
        self._writer: threading.Thread | None = None

    def append(self, lane: Lane, entry: Entry, on_verdict: OnVerdict | None = None, *, leads: bool = False) -> int:
        """Queue an entry; its number in the lane. `leads`: the caller will wait, or call the writer, itself."""
        number = self._ring.push(lane, Pending(entry, on_verdict))
        if not leads:
            self.call_writer()
        elif not self._expects_laggards:
            self._expect_laggards()
        if self._ring.bytes > QUEUED_BYTES and self._holder != threading.get_ident():
            self.wait(lane, number)
        return number

    def append_turn(self, lane: Lane, run: Run, position: int, key: str) -> None:
        """Add a delivery to the run's order log, in the row that is still waiting if there is one."""
        self._ring.push_turn(lane, run, position, key)
        if not self._expects_laggards:
            self._expect_laggards()

    def wait(self, lane: Lane, number: int) -> None:
        """Block until the lane's `number`-th entry is committed; commits on this thread where the turn is free."""
        while lane.committed < number:
            lane.check()
            if self.lead():
                continue
            signal = threading.Lock()
            signal.acquire()
            if self.watch(lane, number, signal.release):
                signal.acquire()
        lane.check()

    def lead(self) -> bool:
        """Commit a batch on this thread, if the turn is free; else who has it sees to what waits. Ctrl-C may strike
        between any two instructions.
        """
        try:
            if not self._turn.acquire(blocking=False):
                return False
            self._commit_batch()
            return True
        finally:
            if self._turn._is_owned():  # type: ignore[attr-defined]  # as `threading.Condition` asks its lock
                self._turn.release()
                self._call_if_left()

    def watch(self, lane: Lane, number: int, wake: Callable[[], None]) -> bool:
        """Call `wake` once the lane's `number`-th entry is committed or the lane failed; False if it is so already."""
        with self._ring.lock:
            if lane.committed >= number or lane.failure is not None:
                return False
            lane.waiters.append((number, wake))
            return True

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the journal's turn for another decision of this worker, such as a claim."""
        try:
            with self._turn:
                yield
        finally:
            self._call_if_left()

    def _call_if_left(self) -> None:
        """After the turn: what was handed in meanwhile is the writer's."""
        if self._ring or self._under_way:
            self.call_writer()

    def _commit_batch(self) -> None:
        """Commit what the next batch holds. Within the turn."""
        batch = self._under_way
        if not batch:
            self._ring.take(batch)
        if batch:
            self._batches += 1
            self._holder = threading.get_ident()
            try:
                self._send(batch, [item.seal() for _, item in batch])
            except Exception as error:
                log.exception("a batch failed in a way that was not foreseen; its runs are lost here")
                self._on_unknown()
                self._fail(batch, error)
            finally:
                self._holder = 0
            self._under_way = []

    def _send(self, batch: Batch, entries: list[Entry]) -> None:
        pause = 0.05
        while True:
            try:
                verdicts = self._store.apply(self._worker_id(), entries)
            except Fenced:
                if self.is_closed:  # this worker has left meanwhile, and must not come back for this
                    for lane, item in batch:
                        self.fail_lane(lane, departure(lane), [item])
                    return
                self._on_fenced()
                self._send_outside_again(batch)
                return
            except StoreUnavailableError as error:
                self._on_unknown()
                if self._stop_at is not None and time.monotonic() > self._stop_at:
                    self._fail(batch, error)
                    return
                log.warning("the database did not answer; the same batch goes again in %.2f s: %s", pause, error)
                with self._wake:
                    self._wake.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            except Exception as error:
                self._bisect(batch, entries, error)
                return
            else:
                self._settle(batch, verdicts)
                return

    def _bisect(self, batch: Batch, entries: list[Entry], error: Exception) -> None:
        """One of them cannot be applied: find its lane, so that only that one fails."""
        if len(batch) == 1:
            if not isinstance(error, StoreRefusedError):
                log.error("an entry could not be applied, in a way that was not foreseen", exc_info=error)
                self._on_unknown()
            self._fail(batch, error)
            return
        lanes = list(dict.fromkeys(lane for lane, _ in batch))
        if len(lanes) > 1:
            left = set(lanes[: len(lanes) // 2])
            is_left = [lane in left for lane, _ in batch]
        else:
            is_left = [place < len(batch) // 2 for place in range(len(batch))]
        for side in (True, False):
            places = [place for place, on_left in enumerate(is_left) if on_left is side]
            part = [batch[place] for place in places]
            if len(lanes) == 1 and lanes[0].failure is not None:
                self._fail(part, lanes[0].failure)
            else:
                self._send(part, [entries[place] for place in places])

    def _send_outside_again(self, batch: Batch) -> None:
        """After the fence: what was made under no claim goes again, under the new worker; what runs did is void."""
        lost = RunInterrupted("this worker lost its right to write; another one goes on with its runs")
        self._fail([(lane, item) for lane, item in batch if not item.is_outside], lost)
        again = [(lane, item) for lane, item in batch if item.is_outside]
        for _, item in again:
            if isinstance(item.entry, RunCreated):
                item.entry.held_as = None
        if again:
            self._send(again, [item.seal() for _, item in again])

    def _settle(self, batch: Batch, verdicts: list[Verdict]) -> None:
        """Committed: tell each entry's owner, then wake who waits; Ctrl-C meanwhile keeps nobody else from hearing."""
        failed: Batch = []
        interrupt: BaseException | None = None
        for (lane, item), verdict in zip(batch, verdicts, strict=True):
            if isinstance(verdict, Refused):
                failed.append((lane, item))
            elif item.on_verdict is not None:
                try:
                    item.tell(verdict)
                except BaseException as error:
                    interrupt = error
        refused = {id(item) for _, item in failed}
        wakes: list[Callable[[], None]] = []
        with self._ring.lock:
            for lane, item in batch:
                if not item.is_counted and (not refused or id(item) not in refused):
                    item.is_counted = True
                    lane.committed += 1
            for lane in {id(lane): lane for lane, _ in batch}.values():
                if lane.waiters:
                    wakes += [wake for number, wake in lane.waiters if number <= lane.committed]
                    lane.waiters = [waiter for waiter in lane.waiters if waiter[0] > lane.committed]
        for wake in wakes:
            wake()
        if failed:
            self._fail(failed, RunInterrupted("the claim on this run has ended; another worker may hold it now"))
        if interrupt is not None:
            raise interrupt

    def _fail(self, batch: Batch, error: BaseException) -> None:
        by_lane: dict[Lane, list[Pending]] = {}
        for lane, item in batch:
            by_lane.setdefault(lane, []).append(item)
        for lane, items in by_lane.items():
            self.fail_lane(lane, error, items)

    def fail_lane(self, lane: Lane, error: BaseException, sent: list[Pending] | None = None) -> None:
        """End the lane: `sent` and what waits in it is void, but for a run's creation where only a claim ended."""
        waiting, wakes = self._ring.clear(lane, error)
        for item in (*(sent or ()), *waiting):
            is_to_go_again = isinstance(error, RunInterrupted) and not self.is_closed
            if item.is_outside and is_to_go_again and isinstance(item.entry, RunCreated):
                item.entry.held_as = None
                self.append(Lane(), item.entry, item.on_verdict)
            else:
                item.tell(Refused(str(error)))
        if lane.run is not None:
            self._on_lost(lane.run, error)
        for wake in wakes:
            wake()

    @property
    def is_closed(self) -> bool:
        """Whether nothing is committed here any more."""
        return self._ring.is_closed

    def start(self) -> None:
        """Start the writer thread."""
        self._writer = start_thread(self._write, "perdure-journal")

    def call_writer(self) -> None:
        """There is something to commit and nobody else will."""
        if not self._is_called:
            with self._wake:
                self._is_called = True
                self._wake.notify_all()

    def _expect_laggards(self) -> None:
        with self._wake:
            self._expects_laggards = True
            self._wake.notify_all()

    def _write(self) -> None:
        """Commit when called; and what nobody waits for, once no batch went by between two looks."""
        batches, pushed, looks = 0, 0, 0
        while True:
            with self._wake:
                if not self._is_called:
                    if self._stop_at is not None and not self._ring:
                        return
                    self._wake.wait(LAGGARD_SECONDS if self._expects_laggards else None)
                is_called, self._is_called = self._is_called, False
            if is_called or (batches == self._batches and self._ring):
                self._commit_all()
            elif pushed == self._ring.pushed:
                looks += 1
                if looks == LOOKS_WHEN_IDLE:
                    looks, self._expects_laggards = 0, False
                    if self._ring:  # handed in before its owner could see that nobody looks any more
                        self._expects_laggards = True
            else:
                looks = 0
            batches, pushed = self._batches, self._ring.pushed

    def _commit_all(self) -> None:
        while self._ring or self._under_way:
            with self._turn:
                self._commit_batch()

    def stop(self, deadline: float) -> None:
        """Commit what waits, for as long as the database answers before `deadline` (monotonic), and end the thread."""
        with self._wake:
            self._stop_at = deadline
            self._is_called = True
            self._wake.notify_all()
        if self._writer is not None and self._writer is not threading.current_thread():
            self._writer.join(max(0.1, deadline - time.monotonic() + 1.0))

    def close(self, seconds: float) -> None:
        """Nothing is committed here any more: tell whoever waits, and whoever comes later. Waits so long for a commit
        that is under way.
        """
        for lane in self._ring.close():
            self.fail_lane(lane, departure(lane))
        if self._turn.acquire(timeout=seconds):
            self._turn.release()
