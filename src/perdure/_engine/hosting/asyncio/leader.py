"""An event loop that commits for its runs: it sends a batch, goes on, and is told by the socket when it is committed.

No thread is involved, so nothing is handed over between threads and the loop never blocks. While the server works on
one batch the loop's tasks make the next. What cannot be done so (a store that blocks, a connection that is to be
opened, an answer that says no) is left to the journal's writer thread.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from contextvars import Context
from functools import partial

from ....stores.protocol import SentBatch
from ...journal.journal import Journal
from .closing_loops import Guard, guard
from .one_per_loop import PerLoop


class LoopLeader:
    """One loop's. All calls on its thread; it does not refer to the loop, which may be kept by nobody else."""

    def __init__(self, journal: Journal, guard: Guard) -> None:
        self.guard = guard
        self._journal = journal
        self._ring = journal.ring
        self._is_called = False
        self._sent: SentBatch | None = None
        """Ours, as long as we do not have the answer."""
        self._connection = 0
        self._descriptor = -1
        """A second one of that connection's socket: nobody else closes it under the loop."""
        self._is_watching = False

    def call(self, loop: asyncio.AbstractEventLoop) -> None:
        """Something was handed in: it goes once the loop has come to what else is ready now, and shares its commit; or
        at once where it is half of what there is, so that database and loop work side by side. Then the answer to the
        batch before is looked for, too: the loop may have much to do before it asks the socket.
        """
        if not self._is_called:
            self._is_called = True
            loop.call_soon(self._lead, loop, context=Context())  # not in the run's: it is not its code
        elif self._ring.waiting >= self._ring.half:
            if self._sent is None:
                self._send(loop)
            else:
                self._receive(loop)

    def hurry(self, loop: asyncio.AbstractEventLoop) -> None:
        """A run waits for what it has handed in: that goes at once, unless runs share their commits right now."""
        if self._sent is None and not self._journal.is_shared:
            self._send(loop)
        else:
            self.call(loop)

    def _lead(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_called = False
        self._send(loop)

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        sent = self._journal.send(partial(self._ask, loop))
        if sent is not None and sent.is_sent:
            self._sent = sent
            if sent.fileno() < 0:  # whoever waits goes on after what else is ready now, as with any other answer
                loop.call_soon(self._receive, loop, context=Context())
                return
            if sent.connection != self._connection:
                self._forget(loop)
                self._connection, self._descriptor = sent.connection, os.dup(sent.fileno())
            if not self._is_watching:
                self._is_watching = True
                loop.add_reader(self._descriptor, self._receive, loop)

    def _ask(self, loop: asyncio.AbstractEventLoop) -> bool:
        """From the thread that had the turn: it is the loop's."""
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._lead, loop, context=Context())
            return True
        return False

    def _receive(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._sent is None:  # somebody else uses the connection now
            if self._is_watching:
                self._is_watching = False
                loop.remove_reader(self._descriptor)
        elif self._journal.receive(self._sent):
            self._sent = None
            if self._ring.waiting:
                self._send(loop)

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._is_watching:
            self._is_watching = False
            loop.remove_reader(self._descriptor)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        if self._descriptor >= 0:  # the loop is gone
            os.close(self._descriptor)


class LoopLeaders:
    """The leaders of all loops on which runs live."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._leaders: PerLoop[LoopLeader] = PerLoop()

    def of(self, loop: asyncio.AbstractEventLoop) -> LoopLeader:
        """This loop's. On its thread."""
        return self._leaders.get(loop) or self._leaders.set(loop, LoopLeader(self._journal, guard(loop)))
