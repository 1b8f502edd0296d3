"""How the claims of this worker end: by what their runs hand in, by being let go of, or all at once by the fence."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial

from ..._core.run import Run
from ..._entries import (
    Accepted,
    EndedRun,
    Entry,
    RunContinued,
    RunFinished,
    RunParked,
    RunReleased,
    SlotGiven,
    Verdict,
)
from ...errors import RunInterrupted, StoreError, StoreRefusedError, UnsupportedStoreError
from ...stores.protocol import Fenced, Store
from ..held_run import HeldRun
from ..hosting.threads.pool import Threads
from ..journal.journal import Journal
from ..journal.lanes import Lane
from ..listeners import Listeners
from ..membership.worker import Worker
from ..news import News
from ..phase import Phase
from ..told import Told
from ..watching.awaited_ends import Ends
from ..watching.uncollected import Uncollected
from .held_runs import Held
from .room import Room

log = logging.getLogger("perdure")


class Claims:
    """Every ending goes through the journal, or through its turn."""

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        worker: Worker,
        held: Held,
        room: Room,
        ends: Ends,
        uncollected: Uncollected,
        threads: Threads,
        phase: Phase,
        listeners: Listeners,
        told: Told,
        news: News,
    ) -> None:
        self._store = store
        self._journal = journal
        self._worker = worker
        self._held = held
        self._room = room
        self._ends = ends
        self._uncollected = uncollected
        self._threads = threads
        self._phase = phase
        self._listeners = listeners
        self._told = told
        self._news = news
        self.is_unknown = False
        """Whether a claim may have been lost with its reply, so that the database says we hold what we do not know."""
        self._claiming = threading.RLock()
        """After the journal's turn, where both are taken; a fence may be met within what a fence does."""

    def claiming(self, *, alone: bool) -> AbstractContextManager[object]:
        """One claim at a time, until what it took is expected; beside the journal's batches where the store can. Not
        one that is to be alone: a batch may make a run that is held here from the start.
        """
        is_beside = self._store.may_claim_beside and not alone
        return self._claiming if is_beside else self._journal.turn()

    def append(self, run: HeldRun, entry: Entry, then: Callable[[Verdict], None]) -> int:
        """Hand in an entry that ends the run's claim; `then` gets the verdict after everybody was told. The caller
        calls the journal's writer.
        """

        def on_verdict(verdict: Verdict) -> None:
            try:
                if isinstance(verdict, Accepted):
                    self._tell(run, entry, verdict)
                    if self._room.is_shared(run.queue):
                        self._worker.line.say([run.queue])
            finally:
                self._room.give_back(run)
                then(verdict)

        if isinstance(entry, RunParked):
            self._room.parking(run)
        number = self._journal.append(run.lane, entry, on_verdict, leads=True)
        run.is_let_go = True
        return number

    def commit(self, run: HeldRun, entry: Entry) -> Verdict:
        """The same on the calling thread, and wait."""
        verdicts: list[Verdict] = []
        number = self.append(run, entry, verdicts.append)
        self._journal.wait(run.lane, number)
        return verdicts[0]

    def give_slot(self, run: HeldRun) -> None:
        """The run waits, and is held: say so in the database, where others count slots (protocol rule 14)."""

        def on_verdict(verdict: Verdict) -> None:
            self._room.slot_was_given(run)
            self._worker.line.say([run.queue])

        try:
            self._journal.append(run.lane, SlotGiven(run.run_id, run.claim), on_verdict)
        except RunInterrupted:  # its claim has ended, and so has its slot
            self._room.slot_was_given(run)

    def overflowed(self, run_ids: Sequence[str]) -> None:
        """A claim has cancelled these, for want of room."""
        for run_id in run_ids:
            self._ends.publish(EndedRun(run_id, "cancelled", None, None), None)
        self._worker.line.say(ended=run_ids)

    def _tell(self, run: HeldRun, entry: Entry, verdict: Accepted) -> None:
        if isinstance(entry, RunContinued):
            if verdict.state != "cancelled":
                self._news.backlog()
                return
            entry = run.finished("cancelled")
        if isinstance(entry, RunFinished) and verdict.state == "ready":  # the cancel was one of the life before
            self._news.backlog()
        elif isinstance(entry, RunFinished):
            self._tell_end(run, entry, verdict)
        elif isinstance(entry, RunParked):
            self._tell_parked(run, entry, verdict)
        elif isinstance(entry, RunReleased) and entry.charged:
            log.warning("run %s of %s is handed back, and its attempt counts: %s", run.run_id, run.name, entry.reason)
            self._news.backlog()  # uncharged not at once: after Ctrl-C the process is about to end
            self._news.look()

    def _tell_end(self, run: HeldRun, entry: RunFinished, verdict: Accepted) -> None:
        state = verdict.state or entry.state
        output = entry.output if state == entry.state else None
        run.end = EndedRun(run.run_id, state, output, verdict.reason or entry.reason)
        if state == "cancelled":  # so are its children, from the same commit on
            for child_id in self._held.among(run.children.open):
                child = self._held.active.get(child_id)
                if child is None or not child.is_detached:
                    self._told.cancelled([child_id])
            self._news.look()
        is_told = self._ends.publish(run.end, run.parent_id)
        self._listeners.ended(run, state)
        self._news.ended(run.run_id)
        if run.is_claimed or run.has_said:  # made elsewhere, as far as is known, and so perhaps waited for there
            self._worker.line.say(ended=[run.run_id])
        if state == "failed":
            parent = self._held.active.get(run.parent_id) if run.parent_id is not None else None
            self._uncollected.note(run, run.end, is_told=is_told, parent=parent)
        if run.children.unseen:
            self._threads.run(partial(self._uncollected.parent_ended, run))
        if run.parent_id is not None and run.parent_id not in self._held.active:
            self._news.backlog()  # it may be parked, and claimable from now on
            self._worker.line.say(is_vague=True)

    def _tell_parked(self, run: HeldRun, entry: RunParked, verdict: Accepted) -> None:
        self._listeners.parked(run, entry)
        if verdict.state == "ready":
            log.warning("run %s of %s goes on to a worker that has other code: %s", run.run_id, run.name, entry.reason)
            self._worker.line.say([run.queue])
        elif entry.reason is not None:
            log.error("%s", entry.reason if run.run_id in entry.reason else f"run {run.run_id} waits: {entry.reason}")
            self._news.look()  # who waits for it is told of what the database says by then
        if entry.due_at is not None:
            self._news.due(entry.due_at)
        if entry.waits_for or entry.stopped == "paused" or run.is_cancelled:
            self._news.look()

    def let_go(self, run: HeldRun, *, charged: bool = False, reason: str | None = None) -> None:
        """End the claim of a run that cannot go on here, without waiting for that, unless that is under way. Charged
        where it might be the run's own doing, so that it cannot go round for ever.

        Every run that leaves memory comes by here, wherever in its life it was interrupted: none stays held by nobody.
        """
        if run.is_let_go or run.interruption == "forked":
            return
        is_cancelled = run.is_cancelled and run.interruption in (None, "cancelled")
        if run.interruption is None:
            run.interrupt("lost")
        entry: RunFinished | RunReleased = RunReleased(run.run_id, run.claim, charged=charged, reason=reason)
        if is_cancelled:
            entry = run.finished("cancelled")
        with suppress(RunInterrupted):  # the claim has ended already
            self.append(run, entry, lambda verdict: None)
            self._journal.call_writer()

    def lose(self, run: Run, error: BaseException) -> None:
        """The run's lane has failed: nothing more of it can be written under this claim."""
        is_refused = isinstance(error, (StoreRefusedError, UnsupportedStoreError))
        if is_refused and run.interrupt("refused"):  # uncharged it would run again, and so for ever
            reason = f"the database refused what run {run.run_id} of {run.name} recorded: {error}"
            log.error("%s; the run is parked", reason)
            entry = RunParked(run.run_id, run.claim, stopped="mend", reason=reason)
            self._journal.append(Lane(), entry, lambda verdict: self._news.look())
        else:
            run.interrupt("lost")
        if run.host is not None:
            run.host.interrupt(run)

    def lost_right(self, worker_id: str) -> None:
        """The heartbeat found no row under this id, or a claim was fenced."""
        with self._journal.turn():
            is_current = self._worker.worker_id == worker_id  # else a batch has found out before
            if is_current and not self._phase.has_left:
                self.rejoin()

    def rejoin(self) -> None:
        """Fenced: drop every run, give up what the old row still says, join again. Within the journal's turn."""
        with self._claiming:  # else a run that is claimed just now would begin after that
            self._rejoin()

    def _rejoin(self) -> None:
        self._listeners.fenced()
        log.warning("this worker was declared dead, or the database failed over; it drops its runs and joins again")
        for run in self._held.give_up():
            run.interrupt("lost")
            self._journal.fail_lane(run.lane, RunInterrupted(f"run {run.run_id} was taken over by another worker"))
        pause = 0.1
        while True:
            try:
                self._store.workers.leave(self._worker.worker_id)
                self._worker.join()
            except (StoreError, OSError) as error:
                if self._phase.is_stopping:
                    return
                log.warning("could not join again; trying once more in %.1f s: %s", pause, error)
                time.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                break
        self._news.backlog()

    def note_unknown(self) -> None:
        """The outcome of a statement is not known."""
        self.is_unknown = True

    def reconcile(self) -> None:
        """Hand back what the database says we hold and we do not know (protocol rule 5). What is in the journal counts
        as known: a batch of unknown outcome goes again, and what it makes would begin twice (rule 16).
        """
        worker_id = self._worker.worker_id
        try:
            with self._journal.turn(), self._claiming:
                worker_id = self._worker.worker_id
                known, active = self._held.known()
                known += self._journal.run_ids()
                # A lost claim may hide behind an earlier one of the same run that is still leaving: look again.
                is_hidden = any(run.interruption is not None for run in active)
                self.is_unknown = is_hidden or self._journal.is_unsure
                returned = self._store.reconcile(worker_id, known)
        except Fenced:
            self.lost_right(worker_id)
            return
        except BaseException:
            self.is_unknown = True
            raise
        if returned:
            log.info("%d claims whose reply was lost were handed back", len(returned))
            self._news.backlog()
