"""Questions to a run that this process executes: answered by its own code, when none of it is at work otherwise.

What is told follows from outcomes that the run was handed, so they are committed first (the first invariant). A run
that replays is asked when it has caught up: before that it would tell how things stood long ago.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any, Final

from ..._core.handlers import known
from ..._core.run import Run
from ..._core.serialization import tamed
from ..._entries import Answer
from ...errors import QueryNotFoundError, RunInterrupted, UsageError
from ..held_run import HeldRun
from ..journal.journal import Journal
from ..membership.worker import Worker
from .asyncio.gate import MOST_PASSES
from .asyncio.own_timers import Timers
from .asyncio.rest import rest_of
from .asyncio.state import LoopState
from .exits import is_own
from .reading import look_only
from .threads.state import ThreadState

LOOK_SECONDS: Final = 0.02
GRACE_SECONDS: Final = 0.5
"""How long a run that has not registered the query is given to: it may have only just begun."""


def answer_of(run: Run, name: str, args: Sequence[Any]) -> Answer:
    """What the run's code answers now. On a thread on which, or while, none of it runs."""
    serializer = run.serializer
    queries = run.handlers.queries if run.handlers is not None else {}
    if name not in queries:
        told = f"run {run.run_id} of {run.name} answers no query {name!r}; it answers {known(queries)}"
        return Answer("error", serializer.dump_error(QueryNotFoundError(told)))
    try:
        found = look_only(run, f"query {name!r}", queries[name], args)
        return Answer("value", serializer.accept(found, what=f"the answer to query {name!r}")[0])
    except BaseException as error:
        if type(error) is KeyboardInterrupt and not is_own(error):  # a signal: it is not the query's
            raise
        return Answer("error", serializer.dump_error(tamed(error)))


class Asking:
    """One question to one run."""

    def __init__(self, run: HeldRun, name: str, args: Sequence[Any], until: float) -> None:
        self.run = run
        self.is_over = threading.Event()
        self._name = name
        self._args = args
        self._until = until
        self._grace_until = time.monotonic() + GRACE_SECONDS
        self.answer: Answer | None = None
        self.after = 0
        """So many entries of the run must be committed before it is told."""

    @property
    def is_too_late(self) -> bool:
        """Whether nobody waits any more, or the run is not here."""
        return self.run.interruption is not None or time.monotonic() >= self._until

    @property
    def may_be_asked(self) -> bool:
        """Whether the run has come as far as it had, and to where it says what it answers."""
        run = self.run
        if run.is_behind:
            return False
        is_known = run.handlers is not None and self._name in run.handlers.queries
        return is_known or time.monotonic() >= self._grace_until

    def ask(self) -> None:
        """Now."""
        self.answer = answer_of(self.run, self._name, self._args)
        self.after = self.run.lane.appended


class LoopAsking:
    """Waits for the rest of an async run; see `rest.Waiting`."""

    timers: Timers | None = None

    def __init__(self, asking: Asking, state: LoopState) -> None:
        self.run: Run = asking.run
        self.tasks = state.tasks
        self._loop = state.loop
        self.quiet = 0
        self._asking = asking
        self._passes = 0

    def begin(self) -> None:
        """On the run's loop: look when what is ready now has run."""
        rest_of(self._loop).call(self._loop, self)

    def look(self, is_at_rest: bool) -> bool:
        """Ask, if it is time; see `Waiting`."""
        asking = self._asking
        if not asking.is_too_late:
            if not asking.may_be_asked:
                self._loop.call_later(LOOK_SECONDS, self.begin, context=Context())
                return False
            self._passes += 1
            if not is_at_rest and self._passes < MOST_PASSES:
                return True
            asking.ask()
        asking.is_over.set()
        return False


def ask_loop(asking: Asking, state: LoopState) -> None:
    """Have an async run's loop ask it, and wait for that here."""
    if asyncio._get_running_loop() is state.loop:
        raise UsageError(
            f"run {asking.run.run_id} is executed on this thread's event loop, which would wait for itself: "
            "`await handle.aquery(...)`"
        )
    try:
        state.loop.call_soon_threadsafe(LoopAsking(asking, state).begin, context=Context())
    except RuntimeError:  # it is closed
        return
    while not asking.is_over.wait(LOOK_SECONDS) and not asking.is_too_late:
        pass


def ask_threads(asking: Asking, state: ThreadState) -> None:
    """Ask a sync run on this thread, while all of its own threads are in durable calls, or wait for their turn."""
    with state.changed:
        state.asking += 1
        try:
            while not asking.is_too_late:
                if asking.may_be_asked and is_at_rest(asking.run, state):
                    asking.ask()
                    return
                state.changed.wait(LOOK_SECONDS)
        finally:
            state.asking -= 1


def is_at_rest(run: Run, state: ThreadState) -> bool:
    """Whether no thread runs the run's own code. Under the lock of its threads, who go on only with that."""
    if state.recording is not None:
        return False
    if run.handlers is None:
        return True  # there is nothing to ask: that is all that will be said
    if run.is_concurrent and state.baton.is_free() and not state.baton.is_loose:
        return True
    return 0 < state.branches - state.joining <= state.inside


class LiveAnswers:
    """For the runs that this process holds."""

    def __init__(self, journal: Journal, worker: Worker, find_run: Callable[[str], HeldRun | None]) -> None:
        self._journal = journal
        self._worker = worker
        self._find_run = find_run

    def ask(self, run_id: str, name: str, args: Sequence[Any], until: float) -> tuple[Answer, str] | None:
        """The answer, and under which claim it was given; None where the run is not here (any more), or has no time.
        Blocks.
        """
        run = self._find_run(run_id)
        if run is None or run.interruption is not None:
            return None
        asking = Asking(run, name, args, until)
        if isinstance(run.state, LoopState):
            ask_loop(asking, run.state)
        elif isinstance(run.state, ThreadState):
            ask_threads(asking, run.state)
        if asking.answer is None:
            return None
        try:
            self._journal.wait(run.lane, asking.after)
        except RunInterrupted:
            return None
        return (asking.answer, run.claim) if self._worker.may_start else None
