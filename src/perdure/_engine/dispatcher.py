"""Which run starts when: the slots of each queue, the claims, and what is started here at once.

A queue's concurrency is a number of slots in each worker. A run that waits durably gives its slot back and asks for one
again before it goes on, ahead of everything that has not begun; so runs that wait for others in the same queue
cannot block it. A freed slot claims the next run at once; other processes' inserts are found by the poller.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from .._core.run import Run
from .._entries import Accepted, Existed, RunCreated, Verdict
from ..errors import StoreError
from ..stores.protocol import ClaimedRun, ClaimRequest, Fenced
from ..typing import RunId
from .ids import fresh_id
from .lanes import Lane, OnVerdict
from .threads import start_thread

if TYPE_CHECKING:
    from .runtime import Runtime

log = logging.getLogger("perdure")

CLAIM_AT_ONCE = 64


class Slots:
    """The slots of one queue in this process."""

    __slots__ = ("has_backlog", "is_asking", "limit", "resuming", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.has_backlog = True
        """Whether runs may wait in the database: then nobody is started past them."""
        self.is_asking = False
        """Whether a claim is under way: what it will find goes first."""
        self.resuming: deque[tuple[Run, Callable[[], None]]] = deque()

    def take_asking(self, run: Run) -> list[Callable[[], None]]:
        """What lets the branches of this run go on that ask for a slot; they ask no more."""
        if not self.resuming:
            return []
        asking = [go_on for asker, go_on in self.resuming if asker is run]
        self.resuming = deque(entry for entry in self.resuming if entry[0] is not run)
        return asking


class Dispatcher:
    """Starts runs while there are slots. Its thread claims; `create` starts what is made here, without a claim."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()
        self._slots: dict[str, Slots] = {}
        self._called = threading.Event()
        self._is_stopping = False
        self._alone: RunId | None = None
        self._may_try_alone = True
        self._thread: threading.Thread | None = None

    def declare(self, queue: str, concurrency: int) -> None:
        """This process works on the queue, on so many runs at once."""
        with self._lock:
            known = self._slots.get(queue)
            if known is None:
                self._slots[queue] = Slots(concurrency)
            else:
                known.limit = concurrency
        self.call()

    def queues(self) -> list[str]:
        """The queues that this process works on."""
        with self._lock:
            return list(self._slots)

    def _take_slot(self, queue: str) -> bool:
        with self._lock:
            slots = self._slots.get(queue)
            if slots is None or self._is_stopping or self._alone is not None or not self._runtime.worker.may_start:
                return False
            if slots.has_backlog or slots.is_asking or slots.resuming or slots.used >= slots.limit:
                slots.has_backlog = True
                return False
            slots.used += 1
            return True

    def _free_slot(self, queue: str, *, count: int = 1) -> None:
        resumed: list[Callable[[], None]] = []
        with self._lock:
            slots = self._slots[queue]
            slots.used -= count
            while slots.resuming and slots.used < slots.limit:
                run = slots.resuming[0][0]
                resumed += slots.take_asking(run)  # one slot for all branches that asked
                slots.used += 1
                run.state.has_slot = True
            should_claim = slots.has_backlog and slots.used < slots.limit
        for go_on in resumed:
            go_on()
        if should_claim:
            self.call()

    def yield_slot(self, run: Run) -> None:
        """The run waits durably: somebody else may use its slot, and its branches that ask for one go on without."""
        if run.state.uses_slots:
            with self._lock:
                had_slot, run.state.has_slot = run.state.has_slot, False
                resumed = self._slots[run.queue].take_asking(run)
            if had_slot:
                self._free_slot(run.queue)
            for go_on in resumed:
                go_on()
        self._end_alone(run)

    def _end_alone(self, run: Run) -> None:
        """A run at its last attempt has ended or waits: others may begin again."""
        if self._alone == run.run_id:
            self._alone = None
            self.call()

    def regain_slot(self, run: Run, grant: Callable[[], None]) -> bool:
        """The run wants to go on: True if it may at once, else `grant` is called when it may."""
        if not run.state.uses_slots or run.state.has_slot:
            return True
        with self._lock:
            slots = self._slots[run.queue]
            if run.state.has_slot:  # another branch was granted it just now
                return True
            if slots.used < slots.limit:
                slots.used += 1
                run.state.has_slot = True
                return True
            slots.resuming.append((run, grant))
            return False

    def finished(self, run: Run) -> None:
        """The run has left this process."""
        self._end_alone(run)
        if run.state is None:  # it could not even begin, with the slot that it was given
            self._free_slot(run.queue)
            return
        if not run.state.uses_slots:
            return
        with self._lock:
            self._slots[run.queue].take_asking(run)
        if run.state.has_slot:
            run.state.has_slot = False
            self._free_slot(run.queue)

    def create(self, entry: RunCreated, lane: Lane, on_created: OnVerdict | None = None, *, leads: bool = False) -> int:
        """Hand the run's creation to the journal; it starts here if a slot is free, once it is durable."""
        queue = entry.queue
        took = entry.due_at is None and self._take_slot(queue)
        if took:
            entry.held_as = fresh_id()

        def give_back() -> None:
            nonlocal took
            if took:
                took = False
                self._free_slot(queue)

        parent = lane.run
        if parent is not None:
            parent.own_children.add(entry.run_id)

        def on_verdict(verdict: Verdict) -> None:
            try:
                if isinstance(verdict, Accepted) and entry.held_as is not None:
                    self._runtime.execution.begin_created(entry)
                    return
                give_back()
                if isinstance(verdict, Accepted):
                    self._note_ready(entry)
                elif parent is not None and isinstance(verdict, Existed):
                    parent.own_children.discard(entry.run_id)
            finally:
                if on_created is not None:
                    on_created(verdict)

        try:
            return self._runtime.journal.append(lane, entry, on_verdict, leads=leads)
        except BaseException:
            give_back()
            raise

    def _note_ready(self, entry: RunCreated) -> None:
        if entry.due_at is not None:
            self._runtime.poller.expect(entry.due_at)
            return
        with self._lock:
            slots = self._slots.get(entry.queue)
            if slots is None:
                return
            slots.has_backlog = True
            is_free = slots.used < slots.limit
        if is_free:
            self.call()

    def start(self) -> None:
        """Start the claiming thread."""
        self._thread = start_thread(self._dispatch, "perdure-dispatcher")

    def call(self) -> None:
        """There may be something to claim."""
        self._called.set()

    def expect_backlog(self) -> None:
        """Something is claimable in the database, in a queue that we do not know."""
        with self._lock:
            for slots in self._slots.values():
                slots.has_backlog = True
            self._may_try_alone = True
        self.call()

    def _dispatch(self) -> None:
        while True:
            self._called.wait()
            self._called.clear()
            if self._is_stopping:
                return
            try:
                while not self._is_stopping and self._claim():
                    pass
            except StoreError as error:
                log.warning("no runs could be claimed; trying again in a moment: %s", error)
                self._runtime.claims.note_unknown()
            except Exception:
                log.exception("the dispatcher failed; it goes on")

    def _reserve(self) -> dict[str, int]:
        with self._lock:
            if self._alone is not None or not self._runtime.worker.may_start:
                return {}
            wanted: dict[str, int] = {}
            for queue, slots in self._slots.items():
                free = min(slots.limit - slots.used, CLAIM_AT_ONCE)
                if free > 0 and slots.has_backlog and not slots.resuming:
                    wanted[queue] = free
                    slots.used += free
                    slots.has_backlog, slots.is_asking = False, True  # from now on a new one is noted again
            return wanted

    def _claim(self) -> bool:
        """Claim once; whether it is worth trying again at once."""
        wanted = self._reserve()
        if not wanted:
            return False
        claimed: list[ClaimedRun] = []
        try:
            claimed = self._ask(wanted, alone=False)
            if not claimed and self._may_try_alone and not self._runtime.held.active:
                self._may_try_alone = False
                claimed = self._ask(wanted, alone=True)
        finally:
            again = self._release_unused(wanted, claimed)
        for run in claimed:
            self._runtime.execution.begin_claimed(run)
        return again

    def _ask(self, wanted: dict[str, int], *, alone: bool) -> list[ClaimedRun]:
        runtime = self._runtime
        claims = [fresh_id() for _ in range(sum(wanted.values()))]
        request = ClaimRequest(wanted, runtime.definitions.names(), alone)
        worker_id = runtime.worker.worker_id
        try:
            with runtime.journal.turn():
                worker_id = runtime.worker.worker_id
                claimed = runtime.store.claim(worker_id, request, claims)
                for run in claimed:  # within the turn: nobody may think that we do not know these
                    runtime.held.expect(run.run_id, run.claim)
                    if alone:
                        self._alone = run.run_id
        except Fenced:  # after a failover our row may be there still, and no heartbeat tells
            runtime.claims.lost_right(worker_id)
            return []
        return claimed

    def _release_unused(self, wanted: dict[str, int], claimed: list[ClaimedRun]) -> bool:
        """Give back the slots that no run was found for, and note which queues may have more."""
        again = False
        counts = dict.fromkeys(wanted, 0)
        for run in claimed:
            counts[run.queue] += 1
        for queue, asked in wanted.items():
            got = counts[queue]
            with self._lock:
                slots = self._slots[queue]
                slots.is_asking = False
                if got == asked:
                    slots.has_backlog = True
                again = again or (slots.has_backlog and slots.used - (asked - got) < slots.limit)
            if got < asked:
                self._free_slot(queue, count=asked - got)
        return again

    def abandon(self) -> None:
        """In a forked child, which leaves a run of its parent: another thread may have been in the lock."""
        self._is_stopping = True
        self._lock = threading.Lock()

    def stop(self, seconds: float) -> None:
        """Claim and start nothing more; waits so long for a claim that is under way."""
        self._is_stopping = True
        self.call()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)
