"""When is an async run at rest? One look for all runs of an event loop that have something to hand over.

A run is at rest when none of its own code is about to run: every task of it waits, tasks that were just created have
begun, and what was scheduled in its context (`call_soon`, callbacks of futures) has fired. The bodies of its steps are
not its own code, and what the engine schedules for itself is not either: both run in other contexts.

asyncio's loops keep what is about to run in a queue of handles, each with the context it will run in, and a context
says whose it is (`lineage.scope`). So one pass over that queue tells exactly which runs are not at rest, whatever the
number of their tasks. Other loops (uvloop) keep it to themselves: there a run counts as at rest when none of its tasks
was seen to be about to run for some passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from contextvars import Context
from typing import Any, Protocol

from ...._core.lineage import Branch, scope
from ...._core.run import Run
from .one_per_loop import PerLoop
from .own_timers import Timers, take_timers

QUIET_PASSES = 6
FEW_TASKS = 64
"""Up to so many tasks, each is looked at in every pass; beyond, only when the passes were quiet otherwise."""
FEW_HANDLES = 8
"""A caller looks by itself while no more than that is about to run on the loop; beyond, one look for all is cheaper."""
MOST_TASKS = 4096
"""Beyond so many tasks only the passes are counted: looking at each would cost more than it could save."""


class Waiting(Protocol):
    """What waits for one run's rest."""

    run: Run
    tasks: set[asyncio.Task[Any]]
    quiet: int
    """How many passes no task of the run was seen to be about to run, where that is all that can be told. Begins anew
    when something is handed over, and when the run asks again after it waited for nothing.
    """

    @property
    def timers(self) -> Timers | None:
        """The run's own that were taken off the loop while it is behind its record; None of who takes none."""

    def look(self, is_at_rest: bool) -> bool:
        """Hand over what may be handed over now. Whether to look again after the next pass of the loop."""


class Rest:
    """One loop's. It does not refer to the loop, which may be kept by nobody else."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._ready: Collection[asyncio.Handle] | None = getattr(loop, "_ready", None)
        self._waiting: dict[Waiting, None] = {}
        self._is_called = False

    def call(self, loop: asyncio.AbstractEventLoop, waiting: Waiting) -> None:
        """Look at the run when what is ready now has run."""
        if waiting not in self._waiting:
            waiting.quiet = 0
            self._waiting[waiting] = None
        if not self._is_called:
            self._is_called = True
            loop.call_soon(self._look, loop, context=Context())

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, {}
        restless = self._restless(waiting)
        self._take_timers(loop, waiting, restless)
        for one in waiting:
            if one.look(one.run not in restless):
                self._waiting[one] = None
        self._is_called = bool(self._waiting)
        if self._is_called:
            loop.call_soon(self._look, loop, context=Context())

    def _take_timers(self, loop: asyncio.AbstractEventLoop, waiting: Iterable[Waiting], restless: set[Run]) -> None:
        """Of the runs that are behind; where that is dear, once they are at rest."""
        taken = {
            one.run: (one.timers, one.tasks)
            for one in waiting
            if one.timers is not None and one.run.is_behind and (self._ready is not None or one.run not in restless)
        }
        if taken:
            take_timers(loop, taken)

    def _restless(self, waiting: Iterable[Waiting]) -> set[Run]:
        """Those of the runs whose code is about to run."""
        if self._ready is None:
            return {one.run for one in waiting if not seems_at_rest(one)}
        return about_to_run(self._ready, {one.run for one in waiting})

    def is_but_for(self, run: Run) -> bool:
        """Whether the run is at rest but for the caller, as far as that is told at a glance."""
        ready = self._ready
        return ready is not None and len(ready) <= FEW_HANDLES and not (ready and about_to_run(ready, {run}))


def about_to_run(ready: Collection[asyncio.Handle], runs: set[Run]) -> set[Run]:
    """Those of the runs whose code is among what is ready."""
    found: set[Run] = set()
    for handle in snapshot(ready):
        here = handle._context.get(scope)  # type: ignore[attr-defined]  # as `Handle._run` does
        if type(here) is Branch and here.run in runs and not handle._cancelled:
            found.add(here.run)
            if len(found) == len(runs):
                break
    return found


def snapshot(ready: Collection[asyncio.Handle]) -> list[asyncio.Handle]:
    """What is ready now; other threads may add to it meanwhile."""
    while True:
        try:
            return list(ready)
        except RuntimeError:
            continue


def seems_at_rest(waiting: Waiting) -> bool:
    """Whether no task of the run was about to run for some passes, this one included."""
    waiting.quiet += 1
    looks = len(waiting.tasks) <= FEW_TASKS or (waiting.quiet == QUIET_PASSES and len(waiting.tasks) <= MOST_TASKS)
    if looks and any(is_about_to_run(task) for task in waiting.tasks):
        waiting.quiet = 0
    return waiting.quiet >= QUIET_PASSES


def is_about_to_run(task: asyncio.Task[Any]) -> bool:
    """Whether the task waits for nothing, or for something that is there."""
    waits_for = getattr(task, "_fut_waiter", None)
    return not task.done() and (waits_for is None or waits_for.done())


def has_timers(loop: asyncio.AbstractEventLoop, run: Run) -> bool:
    """Whether the run's own code has set a timer that has not gone off."""
    for timer in getattr(loop, "_scheduled", ()):
        here = timer._context.get(scope)
        if type(here) is Branch and here.run is run and not timer._cancelled:
            return True
    return False


RESTS: PerLoop[Rest] = PerLoop()


def rest_of(loop: asyncio.AbstractEventLoop) -> Rest:
    """This loop's. On its thread."""
    return RESTS.get(loop) or RESTS.set(loop, Rest(loop))
