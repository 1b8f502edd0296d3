"""The deliveries of one async run: one outcome at a time, each when the run is at rest, live and on replay alike.

The invariant: **between two deliveries the run's code runs until it rests, and what it does meanwhile follows from the
deliveries before.** An event loop runs what is ready in the order in which it was made ready, so what one run's tasks
and callbacks do among themselves is the same each time, whatever else the loop does in between, as long as nothing
from outside comes in the middle. What comes from outside is handed over here, and so

- an outcome, fresh or recorded, is handed over only at rest (`rest.py`), and never inside the call itself: a call
  always suspends, so that what the run had made ready before comes first;
- when an outcome was there earlier or later than last time makes no difference: it waits here, and nothing else waits
  for it; on replay the recorded order decides which is next, else the order in which they came;
- that the run's own code cancelled a call comes from no outside: it follows from the deliveries before. All calls that
  are cancelled in one pass of the loop are handed that together, at the pass's end, in the recorded order: which of
  them a group cancels first depends on addresses in memory. A cancellation that comes before its place waits for it;
- nothing new begins before everything recorded was handed over (`CatchUp`).

A run with one branch has nothing that could be in another order: its call, once it has gone through the loop, asks no
gate where nothing of the run is about to run (`LoopTurns.turn`).

Timers and I/O of the run's own code (outside steps) do come from outside and are not handed over here: what they do to
the order is checked on replay, not promised.

All of it is bounded: a task that never stops spinning must not stop the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from heapq import heappop, heappush
from math import inf
from typing import Any

from ...._core.run import Run
from .durable_waits import waits_within
from .own_timers import Timers, would_cancel
from .rest import has_timers, rest_of

MOST_PASSES = 1000
"""So many passes of the loop the run's reaction may take before the next outcome is handed over all the same."""
FEW_PASSES = 16
"""The same after the run did not come to rest before: it is one that spins."""

GiveUp = Callable[[str, bool], None]


class Cancelled(asyncio.Future[tuple[int, bool]]):
    """What a cancelled call waits for. To be cancelled once more changes nothing, and must not: who cancels again and
    again until the task ends (as anyio does) would keep it from ever being handed over. The task then gets its
    `CancelledError` together with the answer.
    """

    is_late = False
    """Whether it came before its place: then the run has to be at rest like for any other outcome."""

    def cancel(self, msg: Any = None) -> bool:
        return False


class Gate:
    """All calls on the run's loop.

    `give_up` is called with a call that waits when the recorded order asks for another one that does not come, and
    whether time may be to blame. `answers` gives what the run's tasks wait for in the host, but for durable waits.
    """

    def __init__(
        self,
        run: Run,
        loop: asyncio.AbstractEventLoop,
        tasks: set[asyncio.Task[object]],
        patience: float,
        give_up: GiveUp,
        answers: Callable[[], set[asyncio.Future[Any]]],
    ) -> None:
        self.run = run
        self.tasks = tasks
        self.quiet = 0
        self.timers: Timers = []
        self.open: set[asyncio.Future[Any]] = set()
        """What stays open until the run's code cancels it again."""
        self._loop = loop
        self._rest = rest_of(loop)
        self._patience_seconds = patience
        self._give_up = give_up
        self._answers = answers
        self._turns: list[tuple[int, float, int, str, asyncio.Future[None]]] = []
        self._cancelled: list[tuple[int, int, str, Cancelled]] = []
        self._new: dict[asyncio.Future[None], str] = {}
        self._granted: asyncio.Future[None] | None = None
        """What was handed over, until its task has it."""
        self._count = 0
        self._passes = 0
        self._spins = False
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, key: str, *, is_numbered: bool = True, due_at: float | None = None) -> asyncio.Future[None]:
        """A future for the call's turn. Who was woken takes it, with `take`: a task that is cancelled in the moment
        before it wakes has no turn.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        rank, came_at = self.run.order.rank(key) if is_numbered else -1, inf if due_at is None else due_at
        heappush(self._turns, (rank, came_at, self._next(), key, future))
        return future

    def taken(self, future: asyncio.Future[None]) -> None:
        """Who waited for it has been woken, or waits no more."""
        if self._granted is future:
            self._granted = None

    def wait_cancelled(self, key: str) -> Cancelled:
        """A future for the turn of a call that was cancelled; its result is the turn."""
        future = Cancelled(loop=self._loop)
        self._cancelled.append((self.run.order.rank(key), self._next(), key, future))
        return future

    def catch_up(self, key: str) -> asyncio.Future[None]:
        """A future for the moment when all that is recorded was handed over."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._new[future] = key
        self._next()
        return future

    def look_again(self) -> None:
        """The host has answered somebody: timers that were kept may go off now."""
        if self.timers:
            self._rest.call(self._loop, self)

    def stop(self) -> None:
        """The run is interrupted: nobody gets a turn any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._turns.clear()
        self._cancelled.clear()
        self._new.clear()
        self.timers.clear()

    def look(self, is_at_rest: bool) -> bool:
        """See `Rest`."""
        if self._granted is not None:
            return True
        if self._cancelled and self._hand_over_cancelled(is_at_rest):
            return True
        if not is_at_rest and self._is_to_wait():
            return bool(self._turns or self._cancelled or self._new or self.timers)
        if is_at_rest:
            self._passes, self._spins = 0, False
        elif self._cancelled and self._hand_over_cancelled(True):  # who cancels again and again (anyio) never rests
            return True
        if self._hand_over():
            return bool(self._turns or self._cancelled or self._new or self.timers)
        self._give_back_timers()
        if self._new and not self.run.is_behind:
            for future in self._new:
                finish(future)
            self._new.clear()
        self._look_for_difference()
        return False

    def _next(self) -> int:
        self._rest.call(self._loop, self)
        self._count += 1
        return self._count

    def _is_to_wait(self) -> bool:
        """Whether the run's reaction may take another pass."""
        self._passes += 1
        if self._passes < (FEW_PASSES if self._spins else MOST_PASSES):
            return True
        self._passes, self._spins = 0, True
        return False

    def _hand_over(self) -> bool:
        while self._turns:
            rank, _, _, key, future = self._turns[0]
            if future.done():  # its task was cancelled meanwhile
                heappop(self._turns)
                continue
            if rank >= 0 and not self.run.order.is_due(key):
                return False
            heappop(self._turns)
            self._granted = future
            self.quiet = self._passes = 0
            future.set_result(None)
            return True
        return False

    def _hand_over_cancelled(self, is_at_rest: bool) -> bool:
        """Give their places to those whose places have come, all at once; whether there were any."""
        order = self.run.order
        self._cancelled.sort()
        left = []
        for entry in self._cancelled:
            _, _, key, future = entry
            if future.done():
                continue
            if order.is_due(key) and (is_at_rest or not future.is_late):
                future.set_result(order.advance(key))
            else:
                future.is_late = True
                left.append(entry)
        has_any = len(left) < len(self._cancelled)
        self._cancelled = left
        if has_any:
            self.quiet = self._passes = 0
        return has_any

    def _give_back_timers(self) -> None:
        """Those may go off that cancel nothing whose outcome is recorded, or is being read."""
        if not self.timers:
            return
        answered = self._recorded() if self.run.is_behind else ()
        timers, self.timers = self.timers, []
        for timer in timers:
            if would_cancel(timer, self.tasks, answered):
                self.timers.append(timer)
            else:
                timer.give_back(self._loop)

    def _recorded(self) -> set[asyncio.Future[Any]]:
        """What tasks wait for that has an outcome, as far as is known: while the run is behind, nothing new begins."""
        is_recorded = self.run.order.is_recorded
        new = {future for _, _, _, key, future in self._turns if not is_recorded(key)}
        return self._answers() - self.open - new - self._new.keys() - {future for *_, future in self._cancelled}

    def _look_for_difference(self) -> None:
        """At rest, and what is to be handed over next was not asked for. Where nothing but what waits here could still
        ask for it, it never will be; else it has some time.
        """
        waiting = self._waiting()
        if not waiting or not self._misses_a_call():
            return
        if waits_within(self.tasks, set(waiting)) and not has_timers(self._loop, self.run):
            self._give_up(next(iter(waiting.values())), False)
        elif self._timer is None:
            self._arm()

    def _misses_a_call(self) -> bool:
        """Whether a recorded call was not asked for; one that is to be cancelled by the run's code was."""
        order = self.run.order
        return self.run.interruption is None and self.run.is_behind and order.awaited_key not in order.open_keys

    def _waiting(self) -> dict[asyncio.Future[Any], str]:
        """What waits here, and the keys of the calls."""
        found: dict[asyncio.Future[Any], str] = {future: key for *_, key, future in self._turns}
        found.update((future, key) for _, _, key, future in self._cancelled)
        found.update(self._new)
        return {future: key for future, key in found.items() if not future.done()}

    def _arm(self) -> None:
        position = self.run.order.next_position

        def check() -> None:
            self._timer = None
            waiting = self._waiting()
            if not waiting or not self._misses_a_call():
                return
            if self.run.order.next_position == position and not has_timers(self._loop, self.run):
                self._give_up(next(iter(waiting.values())), True)
            else:
                self._arm()

        self._timer = self._loop.call_later(self._patience_seconds, check, context=Context())


def finish(future: asyncio.Future[None]) -> None:
    """Wake who waits, if anybody still does."""
    if not future.done():
        future.set_result(None)
