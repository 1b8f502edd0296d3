"""How a run begins, executes and leaves here; what it does meanwhile is in `_core.flows`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Final, NamedTuple, cast

from ..._core.definitions import Definition, Definitions
from ..._core.flow import Outcome, adrive, drive
from ..._core.flows.life import live
from ..._core.run import Host as AnyHost
from ..._core.serialization import Serializer
from ..._entries import RunCreated, RunReleased, Stored
from ...errors import PerdureError, RunInterrupted, StoreError
from ...stores.protocol import ClaimedRun
from ...typing import RunId
from ..claiming.fresh_runs import claimed_run, made_run
from ..held_run import HeldRun
from ..journal.lanes import Lane
from ..phase import Phase
from .asyncio.closing_loops import is_ending
from .asyncio.own_loop import OwnLoop
from .asyncio.state import LoopState, loop_state
from .asyncio.talking_host import TalkingLoopHost
from .asyncio.tasks import begins_later, install_factory, make_first_task
from .asyncio.wakeups import Wakes
from .exits import is_own
from .foreign import needed_loop
from .surroundings import Surroundings
from .threads.host import InlineHost, ThreadHost
from .threads.state import ThreadState

log = logging.getLogger("perdure")


class Hosts(NamedTuple):
    """Who answers runs: sync ones, async ones, and sync steps of async ones."""

    threads: Callable[..., ThreadHost]
    loop: Callable[..., TalkingLoopHost]
    inline: Callable[..., InlineHost]


ORDINARY: Final = Hosts(ThreadHost, TalkingLoopHost, InlineHost)


class Execution:
    """Gives each run its host and its thread or task. A run that cannot have one is handed back."""

    def __init__(
        self,
        *,
        definitions: Definitions,
        serializer: Serializer,
        wakeups: Wakes,
        phase: Phase,
        around: Surroundings,
        hosts: Hosts,
    ) -> None:
        self._definitions = definitions
        self._serializer = serializer
        self._wakeups = wakeups
        self._phase = phase
        self._journal = around.journal
        self._held = around.held
        self._room = around.room
        self._claims = around.claims
        self._threads = around.threads
        self._listeners = around.listeners
        self._news = around.news
        self.thread_host = hosts.threads(around, self.leave)
        self.loop_host = hosts.loop(around, self.leave, self.leave_stranded, wakeups)
        self.inline_host = hosts.inline(around, self.leave)
        self.own_loop = OwnLoop()
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop that launched, for async runs that are not started on another one."""

    def begin_made(self, run: HeldRun, stored: Stored) -> None:
        """Start what was made here, and is expected; it has its slot already."""
        self._begin(run, stored, is_fresh=True)

    def begin_claimed(self, claimed: ClaimedRun) -> None:
        """Start what was claimed, and is expected; it has its slot already."""
        definition = self._definitions.get(claimed.name)
        kind = claimed.kind if definition is None else definition.kind
        self._begin(claimed_run(claimed, kind, self._serializer), claimed.input, is_fresh=claimed.is_fresh)

    def return_unbegun(self, claimed: ClaimedRun) -> None:
        """Hand back what was claimed and cannot begin soon; the entry goes first, so that it stays known until then."""
        entry = RunReleased(claimed.run_id, claimed.claim)
        self._journal.append(Lane(), entry, lambda verdict: self._held.forget(claimed.claim), leads=False)

    def _begin(self, run: HeldRun, stored: Stored, *, is_fresh: bool) -> None:
        definition = self._definitions.get(run.name)
        assert definition is not None  # a claim, like a creation, names what we know
        begin = self._begin_async if definition.is_async else self._begin_sync
        try:
            begin(run, definition, stored, is_fresh)
        except Exception as error:  # no thread or loop can be had: the process ends, or there are too many
            log.warning("run %s of %s cannot begin here and is handed back: %s", run.run_id, run.name, error)
            self.leave(run)

    def _begin_sync(self, run: HeldRun, definition: Definition, stored: Stored, is_fresh: bool) -> None:
        self.enter(run, self.thread_host, ThreadState(uses_slots=True))

        def execute() -> Callable[[], object]:
            Context().run(self.execute, run, definition, stored, is_fresh=is_fresh)
            return partial(self._room.ending, run)

        if not self._threads.run(execute):
            raise RuntimeError("no thread can be started")

    def _begin_async(self, run: HeldRun, definition: Definition, stored: Stored, is_fresh: bool) -> None:
        loop = self.loop
        if loop is not None and loop.is_running() and not is_ending(loop):
            if asyncio._get_running_loop() is loop and begins_later(loop):  # its factory is installed
                self._enter_loop(run, loop, uses_slots=True)
                self._start_task(run, definition, stored, is_fresh=is_fresh)
                return
            try:
                self._wakeups.call(loop, self._begin_on, loop, run, definition, stored, is_fresh)
            except RuntimeError:  # it was closed just now
                self.loop = None
            else:
                return
        loop = self.own_loop.get()
        self._wakeups.call(loop, self._begin_on, loop, run, definition, stored, is_fresh)

    def _begin_on(
        self, loop: asyncio.AbstractEventLoop, run: HeldRun, definition: Definition, stored: Stored, is_fresh: bool
    ) -> None:
        if loop.is_closed() or is_ending(loop):  # since just now: what it has not begun it never would
            self._begin(run, stored, is_fresh=is_fresh)
            return
        install_factory(loop)
        self._enter_loop(run, loop, uses_slots=True)
        self._start_task(run, definition, stored, is_fresh=is_fresh)

    def _enter_loop(self, run: HeldRun, loop: asyncio.AbstractEventLoop, *, uses_slots: bool) -> None:
        state = LoopState(loop, self.loop_host.leaders.of(loop), uses_slots=uses_slots, has_slot=uses_slots)
        self.enter(run, self.loop_host, state)

    def enter(self, run: HeldRun, host: ThreadHost | TalkingLoopHost, state: ThreadState | LoopState) -> None:
        """It is here from now on, and about to be executed."""
        run.host, run.state = cast("AnyHost[HeldRun]", host), state  # a run of its world, from here on
        self._listeners.begun(run)
        is_held = self._held.enter(run)
        if run.deadline is not None:
            self._news.look_at(run.deadline)
        if not is_held and state.uses_slots:
            run.interrupt("lost")  # the fence was met between its claim and now
        elif self._phase.is_stopping:
            run.interrupt("released")

    def _start_task(
        self, run: HeldRun, definition: Definition, stored: Stored, *, is_fresh: bool
    ) -> asyncio.Task[Outcome | None]:
        state = loop_state(run)
        body = self._aexecute(run, definition, stored, is_fresh=is_fresh)
        state.root = make_first_task(state.loop, body, f"perdure {run.run_id}")
        return state.root

    def call(self, entry: RunCreated, claim: str, definition: Definition) -> tuple[HeldRun, Outcome | None]:
        """Create a run and execute it on this thread. Its creation shares the commit of whatever it records first."""
        run = made_run(entry, claim, self._serializer)
        self.enter(run, self.thread_host, ThreadState(uses_slots=False))
        self._create(run, entry)
        outcome = Context().run(self.execute, run, definition, entry.input, is_fresh=True)
        self._check_created(run)
        return run, outcome

    async def acall(self, entry: RunCreated, claim: str, definition: Definition) -> tuple[HeldRun, Outcome | None]:
        """The same on this loop, in a task of its own: whoever cancels the waiter does not cancel the run."""
        loop = needed_loop()
        run = made_run(entry, claim, self._serializer)
        install_factory(loop)
        self._enter_loop(run, loop, uses_slots=False)
        self._create(run, entry)
        outcome = await asyncio.shield(self._start_task(run, definition, entry.input, is_fresh=True))
        self._check_created(run)
        return run, outcome

    async def replay_async(self, run: HeldRun, definition: Definition, stored: Stored) -> None:
        """Execute an async run on this loop that nobody has claimed, for who looks whether it can be replayed."""
        loop = needed_loop()
        install_factory(loop)
        self._enter_loop(run, loop, uses_slots=False)
        await asyncio.shield(self._start_task(run, definition, stored, is_fresh=False))

    def _create(self, run: HeldRun, entry: RunCreated) -> None:
        try:
            self._journal.append(run.lane, entry, leads=True)
        except RunInterrupted as error:
            self.leave(run)
            raise PerdureError(f"{run.kind} {run.name} was not started: {error}") from error

    def _check_created(self, run: HeldRun) -> None:
        """A run whose creation was still in the journal when this worker left will never go on."""
        if self._journal.is_closed and not run.lane.committed:
            raise PerdureError(f"{run.kind} {run.name} was not started: {run.lane.failure}")

    def execute(self, run: HeldRun, definition: Definition, stored: Stored, *, is_fresh: bool) -> Outcome | None:
        """Execute a sync run on this thread, to its end or until it is interrupted. Call it in a context of its own, as
        an async run has: of the caller's, or of the thread's last run's, another process would know nothing.
        """
        try:
            return drive(live(run, definition, stored, is_fresh=is_fresh), run)
        except RunInterrupted:
            return None
        except Exception as error:
            self._fail(run, error)
            return None
        except BaseException as error:
            self._exits(run, error)
            raise
        finally:
            if not run.state.is_handed_in:
                self.leave(run)

    async def _aexecute(
        self, run: HeldRun, definition: Definition, stored: Stored, *, is_fresh: bool
    ) -> Outcome | None:
        """The same on an event loop."""
        loop_state(run).has_begun = True
        try:
            return await adrive(live(run, definition, stored, is_fresh=is_fresh), run)
        except RunInterrupted:
            return None
        except Exception as error:
            self._fail(run, error)
            return None
        except BaseException as error:
            self._exits(run, error)
            raise
        finally:
            if not run.state.is_handed_in:
                self.leave(run)

    def _fail(self, run: HeldRun, error: Exception) -> None:
        if isinstance(error, StoreError):  # the database did not answer: that is not the run's doing
            log.warning("run %s of %s could not be read and is handed back: %s", run.run_id, run.name, error)
            return
        log.error("run %s of %s could not be executed; it is handed back", run.run_id, run.name, exc_info=error)
        self._claims.let_go(run, charged=True, reason="it failed to begin")

    def _exits(self, run: HeldRun, error: BaseException) -> None:
        """What ends the program, or the task, has come from outside the run's own code: while a value of it was being
        encoded, perhaps.
        """
        if isinstance(error, SystemExit) or (isinstance(error, KeyboardInterrupt) and is_own(error)):
            self._claims.let_go(run, charged=True, reason=f"a value of it raised {type(error).__name__}")

    def leave(self, run: HeldRun) -> None:
        """The run is not executed here any more; its claim ends, if it does not yet."""
        self._claims.let_go(run)
        self._held.leave(run)
        self._room.finished(run)

    def leave_stranded(self, run: HeldRun) -> None:
        """The run's loop was closed without a word to its tasks: none of them will ever run again."""
        self._claims.let_go(run, charged=True, reason="its event loop was closed, or ended by one of its tasks")
        self.leave(run)

    def park_if_all_wait(self) -> None:
        """Let all runs leave memory that wait durably, if every run here does: a run that is to be claimed alone, which
        may be what they wait for, could not begin beside them.
        """
        waiting = list(self._held.active.values())
        if all(run.state.waits for run in waiting):
            for run in waiting:
                run.host.park_soon(run)

    def is_within(self, run_id: RunId, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the run, or one that it has started, executes on this loop."""
        active = dict(self._held.active)
        for run in active.values():
            ancestor: HeldRun | None = run if isinstance(run.state, LoopState) and run.state.loop is loop else None
            while ancestor is not None and ancestor.run_id != run_id:
                ancestor = active.get(ancestor.parent_id) if ancestor.parent_id is not None else None
            if ancestor is not None:
                return True
        return False

    def look_for_stranded(self) -> None:
        """Hand back the runs of loops that are closed; those that did not yet begin there do so on another one."""
        for function, args in self._wakeups.take_stranded():
            if function == self._begin_on:
                function(*args)
        for run in list(self._held.active.values()):
            if isinstance(run.state, LoopState) and run.state.loop.is_closed():
                self.leave_stranded(run)
