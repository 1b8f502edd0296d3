"""One launched instance: the store and the loops, tied together, from `launch` to `shutdown`. It decides nothing."""

from __future__ import annotations

import asyncio
import time

from .._core.definitions import Definitions
from .._core.run import Run
from .._core.serialization import Serializer
from ..errors import ForkedError, RunInterrupted, UsageError
from ..stores.protocol import Hint, Store
from .claiming.claims import Claims
from .claiming.dispatcher import Dispatcher
from .claiming.held_runs import Held
from .duties.recovery import Recovery
from .hosting.asyncio.wakeups import Wakes
from .hosting.execution import Execution
from .hosting.histories import Histories
from .hosting.replays import Replays
from .hosting.threads.host import ThreadHost
from .hosting.threads.pool import Threads
from .journal.journal import Journal
from .membership.worker import Worker
from .options import Options
from .watching.awaited_ends import Ends
from .watching.mailbox import Mailbox
from .watching.poller import Poller
from .watching.uncollected import Uncollected

STOPPING_SECONDS = 1.0
"""How long the shutdown waits for each loop: one that waits for a database that does not answer must not hold it up."""
LEAVING_SECONDS = 5.0
"""The same for the hand-back itself: runs that were not handed back are charged."""


class Runtime:
    """A worker: from `launch` to `shutdown` it holds runs and executes them."""

    def __init__(self, store: Store, options: Options, definitions: Definitions) -> None:
        self.store = store
        self.options = options
        self.definitions = definitions
        self.serializer = Serializer(
            definitions.types, options.codec, max_bytes=options.max_value_bytes, readable=options.readable
        )
        self.held = Held()
        self.replays = Replays()
        self.wakes = Wakes()
        self.claims = Claims(self)
        store.on_cancelled = self.claims.cancel_all_here
        self.journal = Journal(
            store,
            worker_id=lambda: self.worker.worker_id,
            on_fenced=self.claims.rejoin,
            on_lost=self.claims.lose,
            on_unknown=self.claims.note_unknown,
        )
        self.worker = Worker(
            store,
            lease_seconds=options.lease_seconds,
            on_lost=self.claims.lost_right,
            on_dead=lambda dead: self.recovery.note_dead(dead),
            on_hint=self._heed,
        )
        self.dispatcher = Dispatcher(self)
        self.mailbox = Mailbox(self)
        self.poller = Poller(self)
        self.recovery = Recovery(self)
        self.uncollected = Uncollected(store, self.serializer)
        self.ends = Ends(store, self.held.active.get, self.poller.call)
        self.threads = Threads("perdure-run")
        self.histories = Histories(store, self.threads, lambda: self.is_stopping)
        self.execution = Execution(self)
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop that launched, for async runs that are not started on another one."""
        self.is_stopping = self.is_forked = self.has_left = False

    def launch(self) -> int:
        """Open, join, recover, start the loops; how many runs were recovered. After an error nothing stays behind."""
        try:
            return self._start()
        except BaseException:
            self.shutdown(0.0)
            raise

    def _start(self) -> int:
        self.store.migrate()
        self.worker.join()
        recovered = self.recovery.recover()
        self.worker.start()
        self.journal.start()
        self.dispatcher.declare_started(self.options.concurrency)
        self.definitions.tell_queues(self.dispatcher.declare)
        self.dispatcher.start()
        self.poller.start()
        return recovered

    def shutdown(self, timeout: float | None = None) -> None:
        """Let running bodies end for `timeout` seconds, hand everything back, leave; tell who waits here."""
        is_answered = self.hand_back(timeout)
        for run in list(self.held.active.values()):
            self.journal.fail_lane(run.lane, RunInterrupted("this process has shut down"))
        self.ends.close()
        self.uncollected.close()
        self.definitions.forget_queues(self.dispatcher.declare)
        self.execution.own_loop.stop()
        if is_answered:  # else a thread of ours may still wait for the database, on a connection that cannot be closed
            self.store.close()

    def hand_back(self, timeout: float | None = None) -> bool:
        """The same, but for who waits here and never goes on: the process is about to end. Whether the database has
        answered.
        """
        self.is_stopping = True
        deadline = time.monotonic() + (self.options.shutdown_seconds if timeout is None else timeout)
        self.dispatcher.stop(STOPPING_SECONDS)
        self.poller.stop(STOPPING_SECONDS)
        for run in list(self.held.active.values()):
            if run.interruption is None:
                run.interruption = "released"
                run.host.interrupt(run)
        self.held.wait_until_empty(deadline)
        self.journal.stop(max(deadline, time.monotonic() + 1.0))
        self.journal.close(STOPPING_SECONDS)
        self.has_left = True
        return self.worker.leave(max(LEAVING_SECONDS, deadline - time.monotonic()))

    def check_owner(self) -> None:
        """Raise `ForkedError` in a forked child of the process that launched this."""
        if self.is_forked:
            raise ForkedError(
                "this handle belongs to the process that forked this one, and nobody would complete it here: "
                "perdure.handle(run_id) gives the child one of its own"
            )

    def check_open(self) -> None:
        """Raise where nothing can be asked here any more."""
        self.check_owner()
        if self.has_left:
            raise UsageError(
                "perdure has shut down here: perdure.handle(run_id) gives a handle of the instance that works now"
            )

    def abandon(self) -> None:
        """In a forked child: everything here belongs to the parent."""
        self.is_stopping = self.is_forked = True
        self.held.renew_locks()
        self.dispatcher.abandon()
        self.ends.abandon()
        for run in list(self.held.active.values()):
            run.interruption = "forked"
        self.definitions.forget_queues(self.dispatcher.declare)
        self.store.abandon()
        self.worker.drop(keep_file=True)

    def _heed(self, hint: Hint) -> None:
        """Another process says that it has committed something: look, if it may be for this one."""
        if not hint.queues.isdisjoint(self.dispatcher.queues()):
            self.dispatcher.expect_backlog()
        if hint.is_vague or self.ends.waits_for_any(hint.ended):
            self.poller.call()

    def park_after(self, run: Run) -> float:
        """How long a run may wait in memory."""
        if isinstance(run.host, ThreadHost) and self.threads.count > self.options.most_threads:
            return 0.0
        return self.options.park_after_seconds
