"""One launched instance: the store, the loops, the runs that are held, and how a run begins and leaves.

This file ties the loops together and decides nothing by itself; what a run does is in `_core.flows`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial

from .._core.definitions import Definition, Definitions
from .._core.flow import Outcome, adrive, drive
from .._core.flows.life import live
from .._core.run import Run
from .._core.serialization import Serializer
from .._entries import (
    Accepted,
    EndedRun,
    Entry,
    RunCreated,
    RunFinished,
    RunParked,
    RunReleased,
    Stored,
    Verdict,
)
from ..errors import ForkedError, RunInterrupted, StoreError, StoreRefusedError
from ..stores.protocol import ClaimedRun, Fenced, Store
from ..typing import DEFAULT_QUEUE, RunId
from .dispatcher import Dispatcher
from .ends import Ends
from .journal import Journal
from .lanes import Lane
from .loop_ends import is_ending
from .loop_host import LoopHost, LoopState
from .loops import OwnLoop
from .options import Options
from .poller import Poller
from .recovery import Recovery
from .tasks import install_factory
from .thread_host import InlineHost, ThreadHost, ThreadState
from .threads import Threads
from .wakes import Wakes
from .worker import Worker

log = logging.getLogger("perdure")

STOPPING_SECONDS = 1.0
"""How long the shutdown waits for each loop: one that waits for a database that does not answer must not hold it up."""


class Runtime:
    """A worker: from `launch` to `shutdown` it holds runs and executes them."""

    def __init__(self, store: Store, options: Options, definitions: Definitions) -> None:
        self.store = store
        self.options = options
        self.definitions = definitions
        self.serializer = Serializer(definitions.types, options.codec, max_bytes=options.max_value_bytes)
        self.active: dict[RunId, Run] = {}
        self._expected: set[RunId] = set()
        """Claimed, and about to begin."""
        self._alone_id: RunId | None = None
        self._last_attempt: Run | None = None
        """The run that was claimed alone last: it may not be held while others run beside it."""
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)
        self.wakes = Wakes()
        self.journal = Journal(
            store,
            worker_id=lambda: self.worker.worker_id,
            on_fenced=self._rejoin,
            on_lost=self._lose,
            on_unknown=self.note_unknown,
        )
        self.worker = Worker(store, lease_seconds=options.lease_seconds, on_lost=self.lost_right)
        self.dispatcher = Dispatcher(self)
        self.poller = Poller(self)
        self.recovery = Recovery(self)
        self.ends = Ends(store, self.active.get, self.poller.call)
        self.threads = Threads("perdure-run")
        self.thread_host = ThreadHost(self)
        self.loop_host = LoopHost(self)
        self.inline_host = InlineHost(self)
        self.own_loop = OwnLoop()
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop that launched, for async runs that are not started on another one."""
        self.is_stopping = self.is_forked = self._has_left = False
        self.is_unknown = False
        """Whether a claim may have been lost with its reply, so that the database says we hold what we do not know."""

    def launch(self) -> int:
        """Open, join, recover, start the loops. How many runs were recovered."""
        self.store.migrate()
        self.worker.join()
        recovered = self.recovery.recover()
        self.worker.start()
        self.journal.start()
        self.dispatcher.declare(DEFAULT_QUEUE, self.options.concurrency)
        self.definitions.tell_queues(self.dispatcher.declare)
        self.dispatcher.start()
        self.poller.start()
        return recovered

    def shutdown(self, timeout: float | None = None) -> None:
        """Let running bodies end for `timeout` seconds, hand everything back, leave."""
        self.is_stopping = True
        deadline = time.monotonic() + (self.options.shutdown_seconds if timeout is None else timeout)
        self.dispatcher.stop(STOPPING_SECONDS)
        self.poller.stop(STOPPING_SECONDS)
        for run in list(self.active.values()):
            if run.interruption is None:
                run.interruption = "released"
                run.host.interrupt(run)
        with self._left:
            while self.active and (left := deadline - time.monotonic()) > 0:
                self._left.wait(left)
        self.journal.stop(max(deadline, time.monotonic() + 1.0))
        self._has_left = True
        is_answered = self.worker.leave(max(STOPPING_SECONDS, deadline - time.monotonic()))
        for run in list(self.active.values()):
            self.journal.fail_lane(run.lane, RunInterrupted("this process has shut down"))
        self.ends.close()
        self.definitions.forget_queues(self.dispatcher.declare)
        self.own_loop.stop()
        if is_answered:  # else a thread of ours may still wait for the database, on a connection that cannot be closed
            self.store.close()

    def check_owner(self) -> None:
        """Raise `ForkedError` in a forked child of the process that launched this."""
        if self.is_forked:
            raise ForkedError(
                "this handle belongs to the process that forked this one, and nobody would complete it here: "
                "perdure.handle(run_id) gives the child one of its own"
            )

    def abandon(self) -> None:
        """In a forked child: everything here belongs to the parent."""
        self.is_stopping = self.is_forked = True
        self._lock = threading.Lock()  # another thread of the parent may have been in the old one
        self._left = threading.Condition(self._lock)
        self.dispatcher.abandon()
        for run in list(self.active.values()):
            run.interruption = "forked"
        self.definitions.forget_queues(self.dispatcher.declare)
        self.store.abandon()
        self.worker.drop(keep_file=True)

    def make_run(self, entry: RunCreated, claim: str) -> Run:
        """The run that this entry creates, held here from the start."""
        return Run(
            entry.run_id,
            claim,
            kind=entry.kind,
            name=entry.name,
            queue=entry.queue,
            attempts=1,
            parent_id=entry.parent_id,
            serializer=self.serializer,
        )

    def begin_created(self, entry: RunCreated, *, uses_slots: bool) -> None:
        """Start what was made here and is durable now."""
        definition = self.definitions.get(entry.name)
        assert definition is not None
        assert entry.held_as is not None
        self._begin(self.make_run(entry, entry.held_as), definition, entry.input, is_fresh=True, uses_slots=uses_slots)

    def begin_claimed(self, claimed: ClaimedRun) -> None:
        """Start what was claimed; it has its slot already."""
        run = Run(
            claimed.run_id,
            claimed.claim,
            kind=claimed.kind,
            name=claimed.name,
            queue=claimed.queue,
            attempts=claimed.attempts,
            parent_id=claimed.parent_id,
            serializer=self.serializer,
        )
        run.is_cancelled = claimed.is_cancelled
        definition = self.definitions.get(claimed.name)
        assert definition is not None  # a claim names what we know
        self._begin(run, definition, claimed.input, is_fresh=claimed.is_fresh, uses_slots=True)

    def expect_claimed(self, claimed: Sequence[ClaimedRun], *, alone: bool) -> None:
        """Called within the journal's turn: nobody may think that we do not know these."""
        for run in claimed:
            self._expected.add(run.run_id)
        if alone and claimed:
            self._alone_id = claimed[0].run_id

    def _begin(self, run: Run, definition: Definition, stored: Stored, *, is_fresh: bool, uses_slots: bool) -> None:
        run.lane = Lane(run)
        with self._lock:
            self._expected.add(run.run_id)
        if definition.is_async:
            loop = self.loop
            if loop is None or not loop.is_running() or is_ending(loop):
                loop = self.own_loop.get()
            try:
                loop.call_soon_threadsafe(self._begin_async, run, definition, stored, is_fresh, uses_slots, loop)
            except RuntimeError:  # it was closed just now
                self.loop = None
                self._begin(run, definition, stored, is_fresh=is_fresh, uses_slots=uses_slots)
            return
        self.prepare_sync(run, uses_slots=uses_slots)
        if not self.threads.run(partial(self._execute, run, definition, stored, is_fresh=is_fresh)):
            run.interruption = run.interruption or "released"  # the process ends: its leaving hands the run back
            self._leave(run)

    def prepare_sync(self, run: Run, *, uses_slots: bool) -> None:
        """Make a sync run known here."""
        run.host = self.thread_host
        run.state = ThreadState()
        run.state.has_slot = run.state.uses_slots = uses_slots
        self._enter(run)

    def prepare_async(self, run: Run, loop: asyncio.AbstractEventLoop, *, uses_slots: bool) -> None:
        """Make an async run known here, on its loop."""
        install_factory(loop)
        run.host = self.loop_host
        run.state = LoopState(run, loop)
        run.state.has_slot = run.state.uses_slots = uses_slots
        self._enter(run)

    def _enter(self, run: Run) -> None:
        with self._lock:
            self.active[run.run_id] = run
            self._expected.discard(run.run_id)
            if self._alone_id == run.run_id:
                self._alone_id = None
                self._last_attempt = run
                self.dispatcher.hold_alone(run)
        if self.is_stopping and run.interruption is None:
            run.interruption = "released"

    def _begin_async(
        self,
        run: Run,
        definition: Definition,
        stored: Stored,
        is_fresh: bool,
        uses_slots: bool,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        if is_ending(loop):  # since just now: what it has not begun it never would
            self._begin(run, definition, stored, is_fresh=is_fresh, uses_slots=uses_slots)
            return
        self.prepare_async(run, loop, uses_slots=uses_slots)
        self.start_task(run, definition, stored, is_fresh=is_fresh, loop=loop)

    def start_task(
        self, run: Run, definition: Definition, stored: Stored, *, is_fresh: bool, loop: asyncio.AbstractEventLoop
    ) -> asyncio.Task[Outcome | None]:
        """The run's task. In an empty context: whoever started the run is not part of it."""
        task = loop.create_task(
            self._aexecute(run, definition, stored, is_fresh=is_fresh), name=f"perdure {run.run_id}", context=Context()
        )
        run.state.root = task
        return task

    def _execute(self, run: Run, definition: Definition, stored: Stored, *, is_fresh: bool) -> Outcome | None:
        """Execute a sync run on this thread, to its end or until it is interrupted."""
        try:
            return drive(live(run, definition, stored, is_fresh=is_fresh), run)
        except RunInterrupted:
            return None
        except StoreError as error:
            self._hand_back_unread(run, error)
            return None
        except Exception:
            log.exception("run %s of %s could not be executed; it is handed back", run.run_id, run.name)
            self._hand_back(run)
            return None
        except BaseException:  # Ctrl-C outside the run's own code
            self._hand_back(run, charged=False)
            raise
        finally:
            self._leave(run)

    async def _aexecute(self, run: Run, definition: Definition, stored: Stored, *, is_fresh: bool) -> Outcome | None:
        """The same on an event loop."""
        try:
            return await adrive(live(run, definition, stored, is_fresh=is_fresh), run)
        except RunInterrupted:
            return None
        except asyncio.CancelledError:
            self._hand_back(run, charged=False)
            raise
        except StoreError as error:
            self._hand_back_unread(run, error)
            return None
        except Exception:
            log.exception("run %s of %s could not be executed; it is handed back", run.run_id, run.name)
            self._hand_back(run)
            return None
        finally:
            self._leave(run)

    def execute_here(self, run: Run, definition: Definition, stored: Stored) -> Outcome | None:
        """Execute a fresh sync run on the caller's thread."""
        return self._execute(run, definition, stored, is_fresh=True)

    def _hand_back(self, run: Run, *, charged: bool = True) -> None:
        """End the claim of a run that cannot be executed here; charged, so that it cannot go round for ever."""
        run.interruption = run.interruption or "lost"
        if run.end is None and run.lane.failure is None:
            reason = "it failed to begin" if charged else None
            self.journal.append(run.lane, RunReleased(run.run_id, run.claim, charged=charged, reason=reason))

    def _hand_back_unread(self, run: Run, error: StoreError) -> None:
        """The database did not answer: that is not the run's doing, and the poll finds it again."""
        log.warning("run %s of %s could not be read and is handed back: %s", run.run_id, run.name, error)
        self._hand_back(run, charged=False)

    def _leave(self, run: Run) -> None:
        with self._left:
            if self.active.get(run.run_id) is run:
                del self.active[run.run_id]
            self._left.notify_all()
        self.dispatcher.finished(run)

    def append(self, run: Run, entry: Entry, then: Callable[[Verdict], None]) -> None:
        """Hand in an entry that ends the run's claim; `then` gets the verdict after everybody was told. The caller
        calls the journal's writer.
        """

        def on_verdict(verdict: Verdict) -> None:
            self._ended(run, entry, verdict)
            then(verdict)

        self.journal.append(run.lane, entry, on_verdict, leads=True)

    def commit(self, run: Run, entry: Entry) -> Verdict:
        """The same on the calling thread, and wait."""
        verdicts: list[Verdict] = []

        def on_verdict(verdict: Verdict) -> None:
            self._ended(run, entry, verdict)
            verdicts.append(verdict)

        number = self.journal.append(run.lane, entry, on_verdict, leads=True)
        self.journal.wait(run.lane, number)
        return verdicts[0]

    def _ended(self, run: Run, entry: Entry, verdict: Verdict) -> None:
        if not isinstance(verdict, Accepted):
            return
        if isinstance(entry, RunFinished):
            state = verdict.state or entry.state
            output = entry.output if state == entry.state else None
            run.end = EndedRun(run.run_id, state, output, entry.reason)
            if state == "cancelled":
                self.poller.call()  # its children are to be cancelled too
            self.ends.publish(run.end, run.parent_id)
            if run.parent_id is not None and run.parent_id not in self.active:
                self.dispatcher.expect_backlog()  # it may be parked, and claimable from now on
        elif isinstance(entry, RunParked):
            if entry.reason is not None:
                log.error(
                    "%s", entry.reason if run.run_id in entry.reason else f"run {run.run_id} waits: {entry.reason}"
                )
            if entry.due_at is not None:
                self.poller.expect(entry.due_at)
            if entry.children_seen is not None or entry.waits_for or run.is_cancelled:
                self.poller.call()
        elif isinstance(entry, RunReleased) and entry.charged and not self.is_stopping:
            self.dispatcher.expect_backlog()  # uncharged not at once: after Ctrl-C the process is about to end

    def _lose(self, run: Run, error: BaseException) -> None:
        """The run's lane has failed: nothing more of it can be written under this claim."""
        if isinstance(error, StoreRefusedError) and run.interruption not in ("lost", "forked"):
            run.interruption = "lost"
            run.host.interrupt(run)
            reason = f"the database refused what run {run.run_id} of {run.name} recorded: {error}"
            log.error("%s; the run is parked", reason)
            entry = RunParked(run.run_id, run.claim, needs_mend=True, reason=reason)
            self.journal.append(Lane(), entry)
            return
        if run.interruption in (None, "released", "closing"):
            run.interruption = "lost"
        if run.host is not None:
            run.host.interrupt(run)

    def lost_right(self, worker_id: str) -> None:
        """The heartbeat found no row under this id, or a claim was fenced."""
        with self.journal.turn():
            if self.worker.worker_id == worker_id and not self._has_left:  # else a batch has found out before
                self._rejoin()

    def _rejoin(self) -> None:
        """Fenced: drop every run, give up what the old row still says, join again. Within the journal's turn."""
        log.warning("this worker was declared dead, or the database failed over; it drops its runs and joins again")
        dropped = list(self.active.values())
        for run in dropped:
            if run.interruption in (None, "released", "closing"):
                run.interruption = "lost"
            self.journal.fail_lane(run.lane, RunInterrupted(f"run {run.run_id} was taken over by another worker"))
        pause = 0.1
        while True:
            try:
                self.store.leave(self.worker.worker_id)
                self.worker.join()
            except StoreError as error:
                if self.is_stopping:
                    return
                log.warning("could not join again; trying once more in %.1f s: %s", pause, error)
                time.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                break
        self.dispatcher.expect_backlog()

    def note_unknown(self) -> None:
        """The outcome of a statement is not known."""
        self.is_unknown = True

    def reconcile(self) -> None:
        """Hand back what the database says we hold and we do not know (protocol rule 5)."""
        worker_id = self.worker.worker_id
        try:
            with self.journal.turn():
                worker_id = self.worker.worker_id
                with self._lock:
                    known = [*self.active, *self._expected]
                    # A lost claim may hide behind an earlier one of the same run that is still leaving: look again.
                    self.is_unknown = any(run.interruption is not None for run in self.active.values())
                returned = self.store.reconcile(worker_id, known)
        except Fenced:
            self.lost_right(worker_id)
            return
        except BaseException:
            self.is_unknown = True
            raise
        if returned:
            log.info("%d claims whose reply was lost were handed back", len(returned))
            self.dispatcher.expect_backlog()

    def cancel(self, run_id: RunId) -> bool:
        """Ask for a run's end, wherever it is; False when it has ended already."""
        if not self.store.cancel(run_id):
            return False
        self.cancel_here(run_id)
        self.sweep_cancelled()
        return True

    def cancel_here(self, run_id: RunId) -> None:
        """The run has a cancel: if it is in this process, interrupt it."""
        run = self.active.get(run_id)
        if run is None or run.is_cancelled:
            return
        run.is_cancelled = True
        if run.interruption is None:
            run.interruption = "cancelled"
            run.host.interrupt(run)

    def sweep_cancelled(self) -> None:
        """End the cancelled runs that nobody holds, and their children in turn."""
        while swept := self.store.sweep_cancelled():
            for run_id in swept:
                self.ends.publish(EndedRun(run_id, "cancelled", None, None), None)

    def park_after(self, run: Run) -> float:
        """How long a run may wait in memory. At its last attempt not at all: what it waits for may end the worker, and
        the run, held beside it, would be called dead for that (protocol rule 11).
        """
        if run is self._last_attempt:
            return 0.0
        if isinstance(run.host, ThreadHost) and self.threads.count > self.options.most_threads:
            return 0.0
        return self.options.park_after_seconds
