"""Which run starts when: the slots of each queue, the claims, and what is started here at once.

A queue's concurrency is a number of slots in each worker. A run that waits durably gives its slot back and asks for one
again before it goes on, ahead of everything that has not begun; so runs that wait for others in the same queue
cannot block it. A freed slot claims the next run at once; other processes' inserts are found by the poller.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..._core.run import Run
from ..._entries import Accepted, RunCreated, Verdict
from ...errors import StoreError
from ...stores.protocol import ClaimedRun, ClaimRequest, Fenced, LastAttempts
from ...typing import DEFAULT_QUEUE
from ..hosting.threads.pool import start_thread
from ..ids import fresh_id
from ..journal.lanes import Lane, OnVerdict
from ..trouble import Trouble
from .slots import Slots
from .solitude import Solitude

if TYPE_CHECKING:
    from ..runtime import Runtime

log = logging.getLogger("perdure")

TASKS_PER_THREAD = 8
"""How many async runs take as much of what this process executes at once as a sync one."""
LATE_SECONDS = 1.0
"""A run that was claimed ahead and waits for longer goes back, for another process perhaps."""


class Dispatcher:
    """Starts runs while there are slots. Its thread claims; `create` starts what is made here, without a claim."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()
        self._slots: dict[str, Slots] = {}
        self._called = threading.Event()
        self._is_stopping = False
        self._solitude = Solitude(runtime.options.solitude_seconds, time.monotonic())
        self._trouble = Trouble("no runs can be claimed")
        self._thread: threading.Thread | None = None

    def declare_started(self, concurrency: int) -> None:
        """This process executes so many runs at once that were started, not submitted: sync ones, which take a thread
        each; of async ones, which take a kilobyte, `TASKS_PER_THREAD` times as many.
        """
        with self._lock:
            self._slots[DEFAULT_QUEUE] = Slots(concurrency * TASKS_PER_THREAD, self._weigh, TASKS_PER_THREAD)
        self.call()

    def _weigh(self, name: str) -> int:
        definition = self._runtime.definitions.get(name)
        return 1 if definition is not None and definition.is_async else TASKS_PER_THREAD

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

    def _take_slot(self, entry: RunCreated) -> bool:
        with self._lock:
            slots = self._slots.get(entry.queue)
            if slots is None or self._is_stopping or self._solitude.is_kept or not self._runtime.worker.may_start:
                return False
            if not slots.is_free:
                slots.has_backlog = True
                return False
            slots.used += slots.weight(entry)
            return True

    def _free_slot(self, run: Run | RunCreated) -> None:
        with self._lock:
            is_wanted = self._slots[run.queue].free(run)
        if is_wanted:
            self._fill(run.queue)

    def _fill(self, queue: str) -> None:
        """Use the free slots: first for who goes on, then for who was claimed ahead, then claim."""
        with self._lock:
            slots = self._slots[queue]
            resumed = slots.resume()
            may_begin = not (self._is_stopping or self._solitude.is_kept)
            begun = slots.begin() if may_begin else []
            is_to_claim = slots.wants_more
        for go_on in resumed:
            go_on()
        for run in begun:
            self._runtime.execution.begin_claimed(run)
        if is_to_claim:
            self.call()

    def yield_slot(self, run: Run) -> None:
        """The run waits durably: somebody else may use its slot, and its branches that ask for one go on without."""
        if run.state.uses_slots:
            with self._lock:
                had_slot, run.state.has_slot = run.state.has_slot, False
                resumed = self._slots[run.queue].take_asking(run)
            if had_slot:
                self._free_slot(run)
            for go_on in resumed:
                go_on()
        self._end_alone(run)

    def _end_alone(self, run: Run) -> None:
        """A run at its last attempt has ended or waits: others may begin again."""
        if self._solitude.end(run.claim):
            self.expect_backlog()

    def regain_slot(self, run: Run, grant: Callable[[], None]) -> bool:
        """The run wants to go on: True if it may at once, else `grant` is called when it may."""
        if not run.state.uses_slots or run.state.has_slot:
            return True
        with self._lock:
            slots = self._slots[run.queue]
            if run.state.has_slot or not run.state.uses_slots:  # granted to another branch, or over, since just now
                return True
            if slots.used < slots.limit:
                slots.used += slots.weight(run)
                run.state.has_slot = True
                return True
            slots.resuming.append((run, grant))
            return False

    def finished(self, run: Run) -> None:
        """The run has left this process."""
        self._end_alone(run)
        if run.state is None:  # it could not even begin, with the slot that it was given
            self._free_slot(run)
        else:
            self.give_back(run)

    def give_back(self, run: Run) -> None:
        """The run's claim has ended: nothing of it goes on. From any thread, and more than once."""
        if run.state is None or not (run.state.uses_slots or run.state.is_ending):
            return
        with self._lock:
            slots = self._slots[run.queue]
            was_ending, run.state.is_ending = run.state.is_ending, False
            slots.ending -= was_ending
            is_wanted = self._detach(run, slots) and slots.free(run)
        if is_wanted:
            self._fill(run.queue)

    @staticmethod
    def _detach(run: Run, slots: Slots) -> bool:
        """No branch that is left behind may take a slot, which nobody would give back; whether the run has one."""
        run.state.uses_slots = False
        slots.take_asking(run)
        had_slot, run.state.has_slot = run.state.has_slot, False
        return bool(had_slot)

    def ending(self, run: Run) -> None:
        """The run's end is handed in, and nothing of it executes any more: another one may have its slot."""
        with self._lock:
            slots = self._slots[run.queue]
            if not (run.state.has_slot and slots.may_end_early):
                return
            self._detach(run, slots)
            run.state.is_ending = True
            slots.ending += 1
            is_wanted = slots.free(run)
        if is_wanted:
            self._fill(run.queue)

    def is_next_ready(self, run: Run) -> bool:
        """Whether a run that was claimed ahead waits for this one's slot."""
        slots = self._slots[run.queue]
        return bool(slots.ready) and slots.may_end_early

    def submit(self, entry: RunCreated, lane: Lane, on_created: OnVerdict) -> tuple[Lane, int]:
        """Hand in the creation of a run from outside any: in which lane, and its number there.

        Where a slot is free it begins at once, in the lane of its own: before its first body it waits for its creation,
        as for everything that it records. Not under an id of the caller's, which another run may have.
        """
        is_own_id = entry.run_id == entry.entry_id
        if not is_own_id or entry.due_at is not None or not self._take_slot(entry):
            return lane, self.create(entry, lane, on_created, leads=True)
        entry.held_as = claim = fresh_id()
        run = self._runtime.execution.expect(entry)

        def on_verdict(verdict: Verdict) -> None:
            if isinstance(verdict, Accepted) and (entry.held_as is None or verdict.state is not None):
                self._note_ready(entry)  # made again after the fence, or let go of: for anybody
            on_created(verdict)

        try:
            number = self._runtime.journal.append(run.lane, entry, on_verdict, leads=True)
        except BaseException:
            self._runtime.held.forget(claim)
            self._free_slot(entry)
            raise
        self._runtime.execution.begin_made(run, entry.input)
        return run.lane, number

    def create(self, entry: RunCreated, lane: Lane, on_created: OnVerdict | None = None, *, leads: bool = False) -> int:
        """Hand the run's creation to the journal; it starts here if a slot is free, once it is durable."""
        took = entry.due_at is None and self._take_slot(entry)
        if took:
            entry.held_as = fresh_id()

        def give_back() -> None:
            nonlocal took
            if took:
                took = False
                self._free_slot(entry)

        parent = lane.run
        siblings = {} if parent is None else self._runtime.held.children_of(parent).open
        if on_created is None:  # else its id may be that of somebody else's run
            siblings[entry.run_id] = None

        def on_verdict(verdict: Verdict) -> None:
            try:
                if on_created is not None and isinstance(verdict, Accepted):
                    siblings[entry.run_id] = None
                if isinstance(verdict, Accepted) and entry.held_as is not None and verdict.state is None:
                    execution = self._runtime.execution
                    execution.begin_made(execution.expect(entry), entry.input)
                    return
                give_back()
                if isinstance(verdict, Accepted):
                    self._note_ready(entry)
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
        self._runtime.worker.line.say([entry.queue])
        with self._lock:
            slots = self._slots.get(entry.queue)
            if slots is None:
                return
            back = slots.note(entry.priority)
            is_to_claim = slots.wants_more
        for run in back:
            self._runtime.execution.return_unbegun(run)
        if is_to_claim:
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
        self.call()

    def note_last_attempts(self, *, wait: bool) -> None:
        """Whether runs wait that are to be claimed alone. Now and then, so that nobody waits for the other for long."""
        if wait:
            self._solitude.want(time.monotonic())
        else:
            self._solitude.want_no_more()
        if self._solitude.end_in_time(time.monotonic()) or wait:
            self.expect_backlog()

    def _dispatch(self) -> None:
        while True:
            self._called.wait()
            self._called.clear()
            if self._is_stopping:
                return
            try:
                while not self._is_stopping and self._claim():
                    pass
                self._trouble.over()
            except StoreError as error:
                self._trouble.met(error)
                self._runtime.claims.note_unknown()
            except Exception:
                log.exception("the dispatcher failed; it goes on")

    def _claim(self) -> bool:
        """Claim once; whether it is worth trying again at once."""
        asked = self._begin_to_ask()
        if not asked:
            return False
        claimed: list[ClaimedRun] = []
        now = time.monotonic()
        try:
            if self._solitude.goes_first(now) and self._ask_alone(asked):
                return False
            claimed = self._ask(asked, self._solitude.beside(now))
            self._solitude.others_had_their_turn()
            if self._solitude.is_wanted and not claimed:
                self._ask_alone(asked)
        finally:
            self._receive(asked, claimed)
        with self._lock:
            return any(self._slots[queue].wants_more for queue in asked)

    def _begin_to_ask(self) -> dict[str, int]:
        for queue in self.queues():
            self._fill(queue)  # a run at its last attempt may have been in the way
        with self._lock:
            if self._solitude.is_kept or not self._runtime.worker.may_start:
                return {}
            now = time.monotonic()
            return {queue: slots.ask(now) for queue, slots in self._slots.items() if slots.wants_more}

    def _ask(self, asked: dict[str, int], last_attempts: LastAttempts) -> list[ClaimedRun]:
        runtime = self._runtime
        claims = [fresh_id() for _ in range(sum(asked.values()))]
        request = ClaimRequest(asked, runtime.definitions.names(), last_attempts)
        worker_id = runtime.worker.worker_id
        try:
            with runtime.claims.claiming(alone=last_attempts == "alone"):
                worker_id = runtime.worker.worker_id
                claimed = runtime.store.claim(worker_id, request, claims)
                for run in claimed:  # still in there: nobody may think that we do not know these
                    runtime.held.expect(run.run_id, run.claim)
        except Fenced:  # after a failover our row may be there still, and no heartbeat tells
            runtime.claims.lost_right(worker_id)
            return []
        return claimed

    def _ask_alone(self, asked: dict[str, int]) -> bool:
        """Claim a run at its last attempt, if there is one and nothing is held here: nothing else begins until it has
        ended or waits, or for long.
        """
        if not self._runtime.held.is_empty:
            return False
        for claimed in self._ask(asked, "alone"):
            self._solitude.begin(claimed, time.monotonic())
            with self._lock:
                slots = self._slots[claimed.queue]
                slots.used += slots.weight(claimed)
            self._runtime.execution.begin_claimed(claimed)
            return True
        self._solitude.want_no_more()
        return False

    def _receive(self, asked: dict[str, int], claimed: list[ClaimedRun]) -> None:
        by_queue: dict[str, list[ClaimedRun]] = {queue: [] for queue in asked}
        for run in claimed:
            by_queue[run.queue].append(run)
        now = time.monotonic()
        for queue, runs in by_queue.items():
            with self._lock:
                back = self._slots[queue].receive(runs, asked[queue], now)
            for run in back:
                self._runtime.execution.return_unbegun(run)
            self._fill(queue)

    def return_late(self) -> None:
        """Hand back what was claimed ahead and could not begin soon."""
        with self._lock:
            before = time.monotonic() - LATE_SECONDS
            late = [run for slots in self._slots.values() for run in slots.take_late(before)]
        for run in late:
            self._runtime.execution.return_unbegun(run)

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
