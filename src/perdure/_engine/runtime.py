"""One launched instance: what becomes of its parts, from `launch` to `shutdown`. It decides nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence

from .._entries import MessageSent, RunCreated, Verdict
from ..errors import ForkedError, RunInterrupted, UsageError
from ..stores.protocol import Hint
from ..typing import DEFAULT_QUEUE
from .outside.creations import parts_of
from .parts import Parts

STOPPING_SECONDS = 1.0
"""How long the shutdown waits for each loop: one that waits for a database that does not answer must not hold it up."""
LEAVING_SECONDS = 5.0
"""The same for the hand-back itself: runs that were not handed back are charged."""


class Runtime(Parts):
    """A worker: from `launch` to `shutdown` it holds runs and executes them."""

    def launch(self) -> int:
        """Open, join, recover, start the loops; how many runs were recovered. After an error nothing stays behind."""
        try:
            return self._start()
        except BaseException:
            self.shutdown(0.0)
            raise

    def _start(self) -> int:
        self.store.migrate()
        if self.options.serves(DEFAULT_QUEUE):
            self.room.declare_started(self.options.concurrency)
        self.definitions.tell_queues(self.limits.note)
        self.limits.declare()
        self.worker.join()
        recovered = self.dead_workers.recover()
        self.keep_house()
        self.worker.start()
        self.journal.start()
        self.dispatcher.start()
        self.poller.start()
        return recovered

    def keep_house(self) -> None:
        """What depends on the code that is loaded, and what nobody else would end."""
        self.mending.mend()
        self.scheduling.declare()
        self.cancels.sweep()
        self.mending.explain()

    def shutdown(self, timeout: float | None = None) -> None:
        """Let running bodies end for `timeout` seconds, hand everything back, leave; tell who waits here."""
        is_answered = self.hand_back(timeout)
        for run in list(self.held.active.values()):
            self.journal.fail_lane(run.lane, RunInterrupted("this process has shut down"))
        self.ends.close()
        self.following.close()
        self.uncollected.close()
        self.definitions.forget_queues(self.limits.note)
        self.execution.own_loop.stop()
        if is_answered:  # else a thread of ours may still wait for the database, on a connection that cannot be closed
            self.store.close()

    def hand_back(self, timeout: float | None = None) -> bool:
        """The same, but for who waits here and never goes on: the process is about to end. Whether the database has
        answered.
        """
        self.phase.is_stopping = True
        deadline = time.monotonic() + (self.options.shutdown_seconds if timeout is None else timeout)
        self.room.close()
        self.dispatcher.stop(STOPPING_SECONDS)
        self.poller.stop(STOPPING_SECONDS)
        for run in list(self.held.active.values()):
            if run.interrupt("released"):
                run.host.interrupt(run)
        self.leaving.wait_until_empty(deadline)
        self.journal.stop(max(deadline, time.monotonic() + 1.0))
        self.journal.close(STOPPING_SECONDS)
        self.phase.has_left = True
        return self.worker.leave(max(LEAVING_SECONDS, deadline - time.monotonic()))

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that launched, for async runs that are not started on another one."""
        return self.execution.loop

    @loop.setter
    def loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self.execution.loop = loop

    @property
    def is_stopping(self) -> bool:
        """Whether it is on its way out."""
        return self.phase.is_stopping

    def make(self, entries: Sequence[RunCreated | MessageSent]) -> list[Verdict]:
        """Runs of an outsider, or messages, durable, and whoever executes them is told. Blocks until that is known."""
        verdicts = [verdict for part in parts_of(entries) for verdict in self.store.create(part)]
        self.told.made(entries)
        return verdicts

    def say_ready(self, queues: Collection[str]) -> None:
        """Somebody else has made runs in these queues: look, and tell the other processes."""
        self.worker.line.say(queues)
        self.heed(Hint(frozenset(queues)))

    def check_owner(self) -> None:
        """Raise `ForkedError` in a forked child of the process that launched this."""
        if self.phase.is_forked:
            raise ForkedError(
                "this handle belongs to the process that forked this one, and nobody would complete it here: "
                "perdure.handle(run_id) gives the child one of its own"
            )

    def open(self, *, writes: bool = False) -> None:
        """It is open: the launch has seen to that."""
        self.check_open()

    def check_open(self) -> None:
        """Raise where nothing can be asked here any more."""
        self.check_owner()
        if self.phase.has_left:
            raise UsageError("perdure has shut down here: perdure.handle(run_id) gives a handle of what works now")

    def abandon(self) -> None:
        """In a forked child: everything here belongs to the parent."""
        self.phase.is_stopping = self.phase.is_forked = True
        self.held.renew_locks()
        self.room.abandon()
        self.dispatcher.abandon()
        self.ends.abandon()
        self.following.abandon()
        self.arrivals.abandon()
        for run in list(self.held.active.values()):
            run.interrupt("forked")
        self.definitions.forget_queues(self.limits.note)
        self.store.abandon()
        self.worker.drop(keep_file=True)
