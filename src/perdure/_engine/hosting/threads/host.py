"""The host of sync runs: answers by blocking the thread that asks.

A run's threads (its own and those of `perdure.threads()`) wait on one condition; whoever changes what they wait for
(a child's end, a turn, an interruption) notifies it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sized
from contextvars import copy_context
from functools import partial
from typing import Any

from ...._core.flow import (
    Attempt,
    Await,
    AwaitAny,
    AwaitEnd,
    AwaitTime,
    Begin,
    CloseHook,
    Commit,
    DurableWait,
    Execute,
    LoadHistory,
    Outcome,
    Pause,
    Request,
    Send,
    Settle,
)
from ...._core.flows.renewal import ContinuedAsNew, out_of_groups
from ...._core.lineage import Branch, StepScope, scope
from ...._core.own_process import OwnProcess
from ...._entries import Arrived, EndedRun, HistoryRows, Verdict
from ....errors import RunInterrupted
from ....typing import RunId
from ...watching.several_ends import Watching
from ..asyncio.state import loop_state
from ..asyncio.tasks import current_task
from ..host import UNSURE_SECONDS, ended_by, may_have_ended, spare_loop
from ..isolation.attempt import attempt_isolated
from ..left_behind import warn_of_threads
from ..together import OnRead
from .elsewhere import attempt_elsewhere
from .state import ThreadRun, ThreadState
from .turns import ThreadTurns


class ThreadHost(ThreadTurns):
    """Blocks; commits the journal on the calling thread where it is free."""

    def answer(self, run: ThreadRun, request: Request) -> Any:
        """As every host. While it answers, this thread does not run the run's own code: somebody may ask that how
        things stand, and the thread goes on when that is told.
        """
        if run.handlers is None:
            return getattr(self, request.method)(run, request)
        state = run.state
        with state.changed:
            state.inside += 1
            if state.asking:
                state.changed.notify_all()
        try:
            return getattr(self, request.method)(run, request)
        finally:
            with state.changed:
                state.inside -= 1

    def park_after(self) -> float:
        return 0.0 if self.threads.count > self.options.most_threads else self.options.park_after_seconds

    def interrupt(self, run: ThreadRun) -> None:
        state = run.state
        state.tell_all()

    def child_ended(self, run: ThreadRun, ended: EndedRun) -> None:
        self.interrupt(run)

    def load_history(self, run: ThreadRun, request: LoadHistory) -> HistoryRows:
        rows: HistoryRows = self._read(run, partial(self.histories.ask, run.run_id))
        return rows

    def _read(self, run: ThreadRun, ask: Callable[[OnRead], bool]) -> Any:
        """What is read together with what others ask for; an interruption waits for nothing."""
        state = run.state
        outcomes: list[Outcome] = []

        def on_read(outcome: Outcome) -> None:
            with state.changed:
                outcomes.append(outcome)
                state.changed.notify_all()

        if not ask(on_read):
            run.interrupt("released")
        with state.changed:
            while not outcomes and run.interruption is None:
                state.changed.wait()
        if outcomes and outcomes[0].error is not None:
            raise outcomes[0].error
        run.check_alive()
        return outcomes[0].value

    def _fetch(self, run: ThreadRun, run_id: RunId) -> EndedRun | None:
        ended: EndedRun | None = self._read(run, partial(self.ends_ahead.ask, (run, run_id)))
        return ended

    def park_soon(self, run: ThreadRun) -> None:
        state = run.state
        with state.changed:
            state.is_to_park = True
            state.changed.notify_all()

    def settle(self, run: ThreadRun, request: Settle) -> float:
        lane = run.lane
        if run.is_concurrent:
            self._came_back(run)
        while lane.committed != lane.appended:
            self.journal.wait(lane, lane.appended)
        run.check_alive()
        while not self.worker.may_start:
            self.pause(run, Pause(UNSURE_SECONDS))
        return time.time()

    def begin(self, run: ThreadRun, request: Begin) -> float:
        if run.is_concurrent:
            self._came_back(run)
        return super().begin(run, request)

    def commit(self, run: ThreadRun, request: Commit) -> Verdict | None:
        """What ends the claim. A thread that nobody waits for goes on to another run, and this one leaves when it is
        committed.
        """
        state = run.state
        if not state.uses_slots:
            return self.claims.commit(run, request.entry)
        self.claims.append(run, request.entry, lambda verdict: self.leave(run))
        state.is_handed_in = True
        if self.room.is_next_ready(run):
            self.journal.call_writer()  # this thread goes on with that one, and the commits have more in them
        else:
            self.room.ending(run)
            self.journal.lead()
        return None

    def attempt(self, run: ThreadRun, request: Attempt) -> Outcome:
        call = request.call
        inside = StepScope(run, call.key, request.number, call)
        token = scope.set(inside)
        try:
            if (where := call.definition.executor) is not None:
                if isinstance(where, OwnProcess):
                    return attempt_isolated(run, call, inside, where)
                return attempt_elsewhere(run, call, inside)
            value = copy_context().run(call.definition.function, *call.args, **call.kwargs)
        except RunInterrupted:
            raise
        except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
            if run.kind == "step":
                return ended_by(error)
            raise
        except BaseException as error:
            return ended_by(error)
        else:
            return Outcome(value)
        finally:
            scope.reset(token)

    def execute(self, run: ThreadRun, request: Execute) -> Outcome:
        branch = Branch(run, False, run.root_path, owner=threading.get_ident(), within=current_task())
        token = scope.set(branch)
        run.state.branches = 1
        try:
            value = request.function(*request.args, **request.kwargs)
            self._finish(run)
            return Outcome(value, run.exit)
        except BaseException as raised:
            error = out_of_groups(raised)
            if issubclass(type(error), ContinuedAsNew):  # an error may not let itself be looked at
                self._finish(run)
            return ended_by(error if run.exit is None else run.exit)
        finally:
            scope.reset(token)
            if run.interruption is None and "futures" in vars(run.state):
                warn_of_threads(run)
            run.interrupt("ended")
            self.interrupt(run)
            if run.interruption == "released":
                self._let_bodies_end(run)

    @staticmethod
    def _let_bodies_end(run: ThreadRun) -> None:
        """What other branches have begun is recorded before the run is let go of; whoever leaves waits so long."""
        state = run.state
        if run.is_concurrent:
            with state.changed:
                while state.branches > 1:
                    state.changed.wait()

    @staticmethod
    def _finish(run: ThreadRun) -> None:
        """What others have asked the run to do, and it has accepted, is done before it ends."""
        if run.handlers is not None and run.handlers.finish is not None:
            run.handlers.finish()

    def await_end(self, run: ThreadRun, request: AwaitEnd) -> EndedRun:
        run_id = request.run_id
        ended = run.children.take_end(run_id)
        if ended is None and may_have_ended(run, run_id):
            ended = self._fetch(run, run_id)
        if ended is not None:
            return ended
        if not run.lane.is_settled:  # it may wait for its own creation, which nobody else is called to commit
            self.journal.wait(run.lane, run.lane.appended)
        found: list[EndedRun] = []
        state = run.state

        def on_end(ended: EndedRun) -> None:
            with state.changed:
                found.append(ended)
                state.changed.notify_all()

        self.ends.watch(run_id, on_end, parent=run if run_id in run.children else None)
        if run_id in run.children.ended:  # since we looked
            self.ends.forget(run_id, on_end)
            return run.children.take_end(run_id) or self.await_end(run, request)
        try:
            self._wait_durably(run, found, request)
        finally:
            self.ends.forget(run_id, on_end)
        run.children.take_end(run_id)
        return found[0]

    def await_time(self, run: ThreadRun, request: AwaitTime) -> None:
        if self.seconds_until(run, request.due_at) > 0:
            self._wait_durably(run, [], request)

    def await_any(self, run: ThreadRun, request: AwaitAny) -> str | None:
        several = request.several
        if several.watching is None:
            several.watching = Watching(self.ends, run, several.calls, partial(self._fetch, run))
        found: deque[str] = several.watching.found
        if not found:
            if not run.lane.is_settled:  # as in `await_end`
                self.journal.wait(run.lane, run.lane.appended)
            self._wait_durably(run, found, request)
        return found.popleft() if found else None

    def await_arrival(self, run: ThreadRun, request: Await) -> Arrived | None:
        state = run.state
        arrivals = self.arrivals
        while True:
            told: list[None] = []

            def on_told(told: list[None] = told) -> None:
                with state.changed:
                    told.append(None)
                    state.changed.notify_all()

            arrivals.watch(run.run_id, request.wait, on_told)
            try:
                arrival = arrivals.at_hand(run, request)
                if arrival is None:
                    self._read(run, partial(arrivals.look, run, request))
                    arrival = arrivals.at_hand(run, request)
                is_due = request.due_at is not None and self.seconds_until(run, request.due_at) <= 0
                if arrival is not None or is_due:
                    return arrival
                if not run.lane.is_settled:  # as in `await_end`
                    self.journal.wait(run.lane, run.lane.appended)
                arrivals.follow(request, on_told)
                self._wait_durably(run, told, request)
            finally:
                arrivals.forget(run.run_id, on_told)

    def send(self, run: ThreadRun, request: Send) -> list[Verdict]:
        found: list[list[Verdict]] = []
        number = self.append_messages(run.lane, request.entries, found.append)
        self.journal.wait(run.lane, number)
        return found[0]

    def close_hook(self, run: ThreadRun, request: CloseHook) -> Verdict:
        found: list[Verdict] = []
        number = self.journal.append(run.lane, request.entry, found.append, leads=True)
        self.journal.wait(run.lane, number)
        return found[0]

    def _wait_durably(self, run: ThreadRun, found: Sized, request: DurableWait) -> None:
        """Wait until something is found or it is due; without the slot, and without the thread where that takes
        long.
        """
        state = run.state
        waits = state.waits
        parking: int | None = None
        with state.changed:
            waits[request] = None
        self._came_back(run)
        try:
            # After it is noted that this branch waits, or another one might take the slot again and never give it back;
            # and outside the lock, since the slot's next user has one of its own.
            self.room.yield_slot(run)
            with state.changed:
                if self._wait_in_memory(run, found, request.due_at):
                    parking = self.claims.append(run, self.parking(run, waits), lambda verdict: None)
        finally:
            with state.changed:
                del waits[request]
        if parking is not None:
            self.journal.wait(run.lane, parking)
            self.interrupt(run)
        run.check_alive()
        self._regain_slot(run)

    def _wait_in_memory(self, run: ThreadRun, found: Sized, due_at: float | None) -> bool:
        """Wait until it is found, due or interrupted; True when the run should rather leave memory."""
        state = run.state
        park_at = time.monotonic() + self.park_after()
        while run.interruption is None and not found:
            now = time.monotonic()
            park_at = now if state.is_to_park else park_at
            waits = [park_at - now if park_at > now else 1.0]
            if due_at is not None:
                waits.append(self.seconds_until(run, due_at))
            if min(waits) <= 0:
                return False
            if self._should_park(run, state, park_at):
                return True
            state.changed.wait(min(waits))
        return False

    def _regain_slot(self, run: ThreadRun) -> None:
        """Go on only with a slot; a run of which any branch waits durably has none."""
        state = run.state
        if state.waits:
            return
        granted: list[bool] = []

        def grant() -> None:
            with state.changed:
                granted.append(True)
                state.changed.notify_all()

        if not self.room.regain_slot(run, grant):
            with state.changed:
                while not granted and run.interruption is None:
                    state.changed.wait()
        run.check_alive()

    def _should_park(self, run: ThreadRun, state: ThreadState, park_at: float) -> bool:
        """Every branch waits durably, and has for long enough or will."""
        if state.branches - state.joining > len(state.waits) or state.turns or state.timed:
            return False
        return self.is_long(run, state.waits) or time.monotonic() >= park_at


class InlineHost(ThreadHost):
    """A sync step inside an async run: it blocks the loop for as long as its body and one commit take, as its
    body would.
    """

    def attempt(self, run: ThreadRun, request: Attempt) -> Outcome:
        try:
            return super().attempt(run, request)
        except (KeyboardInterrupt, SystemExit) as error:
            spare_loop(run, error)
            raise

    def pause(self, run: ThreadRun, request: Pause) -> None:
        time.sleep(request.seconds)
        run.check_alive()

    def await_time(self, run: ThreadRun, request: AwaitTime) -> None:
        self.pause(run, Pause(max(0.0, self.seconds_until(run, request.due_at))))

    def answer(self, run: ThreadRun, request: Request) -> Any:
        if loop_state(run).is_closing and run.interrupt("closing"):
            run.check_alive()
        return getattr(self, request.method)(run, request)

    @staticmethod
    def _recorded(run: ThreadRun) -> None:
        """Such a step takes no turn."""

    @staticmethod
    def _came_back(run: ThreadRun) -> None:
        """Nor is there another thread."""
