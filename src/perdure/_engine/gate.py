"""One outcome at a time on an event loop: the next is handed over when the loop has finished reacting to the last.

A delivery wakes a task; what the task does until it waits again may wake others (a gather, a group, a `wait_for` need
a few turns of the loop each). If two deliveries overlapped, which code runs first would depend on how many turns each
needs, and a replay could differ. So between two deliveries the gate lets the loop turn until none of the run's tasks
is about to run. It bounds that wait: a task that never stops spinning must not stop the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

from .._core.run import Run
from ..errors import RunInterrupted

QUIET_TURNS = 6
MOST_TURNS = 200
FEW_TASKS = 64
"""Up to so many tasks, each is looked at in every turn; beyond, only when the turns were quiet otherwise."""
MOST_TASKS = 4096
"""Beyond so many tasks only the turns are counted: looking at each would cost more than it could save."""


class Gate:
    """The deliveries of one async run. All calls on the run's loop."""

    def __init__(self, run: Run, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[object]]) -> None:
        self._run = run
        self._loop = loop
        self._tasks = tasks
        self._waiting: list[tuple[int, int, str, asyncio.Future[None]]] = []
        self._count = 0
        self._is_busy = False
        self._quiet = 0
        self._turns = 0
        self._patience: asyncio.TimerHandle | None = None

    def try_now(self, key: str) -> bool:
        """Take the turn at once if it is this call's."""
        if self._is_busy or not self._run.order.is_due(key):
            return False
        self._begin()
        return True

    def wait(self, key: str, patience: float, give_up: Callable[[str], None]) -> asyncio.Future[None]:
        """A future for the call's turn. `give_up` is called when the recorded order asks for a call that does
        not come.

        Who was woken advances the order, not we: a task that is cancelled in the moment before it wakes has no turn.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self._count += 1
        heappush(self._waiting, (self._run.order.rank(key), self._count, key, future))
        if self._run.order.is_replaying and self._patience is None:
            self._arm(patience, give_up)
        return future

    def fail(self, error: RunInterrupted) -> None:
        """The run is interrupted: nobody gets a turn any more."""
        if self._patience is not None:
            self._patience.cancel()
        for *_, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    def _begin(self) -> None:
        self._is_busy = True
        self._quiet = self._turns = 0
        self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        self._turns += 1
        self._quiet += 1
        if len(self._tasks) <= FEW_TASKS or (self._quiet == QUIET_TURNS and len(self._tasks) <= MOST_TASKS):
            self._quiet = 0 if self._is_reacting() else self._quiet
        if self._quiet < QUIET_TURNS and self._turns < MOST_TURNS:
            self._loop.call_soon(self._tick)
            return
        self._is_busy = False
        self._pump()

    def _is_reacting(self) -> bool:
        """Whether a task of the run is about to run: it waits for nothing, or for something that is there."""
        for task in self._tasks:
            waits_for = getattr(task, "_fut_waiter", None)
            if not task.done() and (waits_for is None or waits_for.done()):
                return True
        return False

    def _pump(self) -> None:
        while self._waiting:
            _, _, key, future = self._waiting[0]
            if future.done():  # its task was cancelled meanwhile
                heappop(self._waiting)
                continue
            if self._is_busy or not self._run.order.is_due(key):
                return
            heappop(self._waiting)
            self._begin()
            future.set_result(None)

    def _arm(self, patience: float, give_up: Callable[[str], None]) -> None:
        position = self._run.order.next_position

        def check() -> None:
            self._patience = None
            if not self._waiting or self._run.interruption is not None or not self._run.order.is_replaying:
                return
            order = self._run.order
            if order.next_position == position and not self._is_busy and order.awaited_key not in order.open_keys:
                give_up(self._waiting[0][2])
            else:
                self._arm(patience, give_up)

        self._patience = self._loop.call_later(patience, check)
