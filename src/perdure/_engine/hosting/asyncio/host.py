"""The host of async runs: answers with awaitables, on the loop that the run lives on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, Token
from functools import partial
from typing import Any

from ...._core.flow import (
    Attempt,
    AwaitEnd,
    AwaitTime,
    Commit,
    Compute,
    DurableWait,
    Execute,
    LoadHistory,
    Outcome,
    Pause,
    Request,
    Settle,
    StartChild,
)
from ...._core.flows.renewal import ContinuedAsNew, out_of_groups
from ...._core.handlers import Handlers
from ...._core.interruption import CANCELS_TASKS
from ...._core.lineage import Branch, StepScope, scope
from ...._entries import EndedRun, Entry, HistoryRows, Verdict
from ....errors import RunInterrupted
from ...journal.lanes import Lane
from ..exits import is_own
from ..host import UNSURE_SECONDS, ended_by, exit_of, interrupted, may_have_ended
from ..left_behind import warn_of_tasks
from ..surroundings import Surroundings
from .durable_waits import waits_within
from .leader import LoopLeaders
from .own_context import in_own_context
from .state import LoopRun, LoopState
from .tasks import current_task
from .timeouts import attempt_in_time
from .turns import LoopTurns
from .wakeups import Wakes, finish

LEAST_LOOK_SECONDS = 1.0
"""How often, at most, a run that could not be parked is looked at again."""
LOOK_SECONDS_PER_TASK = 0.0002
"""Several times what a look takes for each task of the run: however many begin to wait one after the other, looks take
a small part of the loop's time.
"""

CROWD = 2_000
CROWDED_SECONDS = 1.0
"""With more runs than `CROWD` in memory, of some tens of kilobytes each, those that wait leave it after so long; with
twice as many, at once.
"""


class LoopHost(LoopTurns):
    """Awaits; the loop itself commits where the store can be waited for, the journal's writer thread elsewhere."""

    def __init__(
        self,
        around: Surroundings,
        leave: Callable[[LoopRun], None],
        leave_stranded: Callable[[LoopRun], None],
        wakeups: Wakes,
    ) -> None:
        super().__init__(around, leave)
        self.leave_stranded = leave_stranded
        self.leaders = LoopLeaders(around.journal)
        self._held = around.held
        self._wake = wakeups.wake

    def park_after(self) -> float:
        seconds, held = self.options.park_after_seconds, len(self._held.active)
        if held > 2 * CROWD:
            return 0.0
        return min(seconds, CROWDED_SECONDS) if held > CROWD else seconds

    def answer(self, run: LoopRun, request: Request) -> Any:
        """As every host; on a loop that is closing the run's code can ask for nothing any more, only be let go of."""
        if run.state.leader.guard.is_cancelled and run.interrupt("closing") and not isinstance(request, Commit):
            run.check_alive()
        return getattr(self, request.method)(run, request)

    def handed_in(self, run: LoopRun) -> None:
        """Have it committed once the loop has come to what else is ready now, so that all of that shares the commit."""
        state = run.state
        state.leader.call(state.loop)

    def interrupt(self, run: LoopRun) -> None:
        state = run.state
        try:
            state.loop.call_soon_threadsafe(self._interrupt_here, run)
        except RuntimeError:
            self.leave_stranded(run)

    def _interrupt_here(self, run: LoopRun) -> None:
        state = run.state
        state.interrupt(interrupted(run))
        if run.interruption in CANCELS_TASKS:
            for task in list(state.tasks):
                task.cancel()
            if state.root is not None and state.has_begun:  # cancelled before, it would neither begin nor ever end
                state.root.cancel()

    def child_ended(self, run: LoopRun, ended: EndedRun) -> None:
        """Nothing to do here: each wait watches for itself."""

    def settle(self, run: LoopRun, request: Settle) -> Any:
        lane = run.lane
        run.check_alive()
        if lane.committed == lane.appended and self.worker.may_start:
            return time.time()
        return self._settled(run, lane)

    async def _settled(self, run: LoopRun, lane: Lane) -> float:
        """Wait; and again, if before this task could go on another one was handed an outcome, or if this worker may not
        write any more for all it knows.
        """
        state = run.state
        loop = state.loop
        while True:
            while lane.committed != lane.appended:
                future: asyncio.Future[None] = loop.create_future()
                if self.journal.watch(lane, lane.appended, partial(self._wake, loop, future)):
                    state.leader.hurry(loop)
                    state.has_waited = state.has_waited or not future.done()
                    await self._wait(run, future)
                if lane.failure is not None:
                    raise lane.failure
            if self.worker.may_start:
                break
            await self.pause(run, Pause(UNSURE_SECONDS))
        run.check_alive()
        return time.time()

    def commit(self, run: LoopRun, request: Commit) -> Any:
        """What ends the claim. Where nobody waits for the task it ends now, and the run leaves when it is committed."""
        state = run.state
        if not state.uses_slots:
            return asyncio.shield(self._commit(run, request.entry))
        self.claims.append(run, request.entry, lambda verdict: self.leave(run))
        state.is_handed_in = True
        self.handed_in(run)
        self.room.ending(run)
        return None

    def _commit(self, run: LoopRun, entry: Entry) -> asyncio.Future[Verdict]:
        state = run.state
        loop = state.loop
        future: asyncio.Future[Verdict] = loop.create_future()

        def on_verdict(verdict: Verdict) -> None:
            self._wake(loop, future, verdict)

        self.claims.append(run, entry, on_verdict)
        self.handed_in(run)
        return future

    def start_child(self, run: LoopRun, request: StartChild) -> Any:
        return self._start_and_wait(run, request) if request.waits else super().start_child(run, request)

    async def _start_and_wait(self, run: LoopRun, request: StartChild) -> Verdict:
        state = run.state
        future: asyncio.Future[Verdict] = state.loop.create_future()
        tell = partial(self._wake, state.loop, future)
        self.starts.create(request.entry, run.lane, tell, leads=True)
        self.handed_in(run)
        verdict: Verdict = await self._wait(run, future)
        return verdict

    async def load_history(self, run: LoopRun, request: LoadHistory) -> HistoryRows:
        rows: HistoryRows = await self._off_loop(run, partial(self.histories.ask, run.run_id))
        return rows

    async def _off_loop(self, run: LoopRun, ask: Callable[[Callable[[Outcome], None]], bool]) -> Any:
        """What is read on a thread of ours: the loop's own pool takes nothing any more while the interpreter ends, and
        would hold that up.
        """
        state = run.state
        future: asyncio.Future[Outcome] = state.loop.create_future()
        if not ask(lambda outcome: self._wake(state.loop, future, outcome)):
            run.interrupt("released")
            raise interrupted(run)
        outcome = await self._wait(run, future)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def _on_thread(self, work: Callable[[], Any], on_done: Callable[[Outcome], None]) -> bool:
        def run() -> None:
            try:
                outcome = Outcome(work())
            except Exception as error:
                outcome = Outcome(error=error)
            on_done(outcome)

        return self.threads.run(run)

    async def compute(self, run: LoopRun, request: Compute) -> Any:
        return await self._off_loop(run, partial(self._on_thread, request.work))

    async def attempt(self, run: LoopRun, request: Attempt) -> Outcome:
        call = request.call
        definition = call.definition
        inside = StepScope(run, call.key, request.number, call)
        token = scope.set(inside)
        run.state.bodies += 1
        try:
            if definition.timeout is None:
                return Outcome(await in_own_context(definition.function(*call.args, **call.kwargs)))
            return await attempt_in_time(call)
        except asyncio.CancelledError as error:
            self._check_loop(run)
            task = current_task()
            if task is not None and task.cancelling():
                raise
            return Outcome(error=error)  # the body cancelled itself
        except RunInterrupted:
            raise
        except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
            return exit_of(run, error)
        except BaseException as error:
            return ended_by(error)
        finally:
            run.state.bodies -= 1
            if run.state.last_body is not None and not run.state.bodies:
                finish(run.state.last_body)
            leave(token)
            if inside.tasks:
                warn_of_tasks(run, definition, inside.tasks)

    async def execute(self, run: LoopRun, request: Execute) -> Outcome:
        state = run.state
        state.root = root = current_task()
        assert root is not None
        state.branch = branch = Branch(run, True, run.root_path, owner=root)
        state.tasks.add(root)
        token = scope.set(branch)
        try:
            value = await request.function(*request.args, **request.kwargs)
            if run.handlers is not None:
                await self._finish(run.handlers)
            return Outcome(value, run.exit)
        except BaseException as raised:
            error = out_of_groups(raised)
            if issubclass(type(error), ContinuedAsNew) and run.handlers is not None:
                await self._finish(run.handlers)
            if isinstance(error, asyncio.CancelledError):
                self._check_loop(run)
            if isinstance(error, GeneratorExit) and not is_own(error):
                raise  # nobody will go on with this coroutine
            return ended_by(error if run.exit is None else run.exit)
        finally:
            leave(token)
            state.branch = None
            state.tasks.discard(root)
            if run.handlers is not None:
                run.handlers.leave()
            if state.tasks and run.interruption is None:
                warn_of_tasks(run, None, state.tasks)
            run.interrupt("ended")
            state.close_gate()
            try:
                if run.interruption == "released" and state.bodies:  # they are recorded; whoever leaves waits so long
                    state.last_body = state.loop.create_future()
                    await state.last_body
            finally:
                for task in list(state.tasks):  # what the run left running cannot do anything durable any more
                    task.cancel()

    @staticmethod
    async def _finish(handlers: Handlers) -> None:
        """What others have asked the run to do, and it has accepted, is done before it ends."""
        if handlers.finish is not None:
            await handlers.finish()

    def await_end(self, run: LoopRun, request: AwaitEnd) -> Any:
        ended = run.children.take_end(request.run_id)
        return self._await_end(run, request) if ended is None else ended

    async def _await_end(self, run: LoopRun, request: AwaitEnd) -> EndedRun:
        run_id = request.run_id
        if may_have_ended(run, run_id):
            fetched: EndedRun | None = await self._off_loop(run, partial(self.ends_ahead.ask, (run, run_id)))
            if fetched is not None:
                return fetched
        state = run.state
        loop = state.loop
        future: asyncio.Future[EndedRun] = loop.create_future()

        def on_end(ended: EndedRun) -> None:
            self._wake(loop, future, ended)

        self.ends.watch(run_id, on_end, parent=run if run_id in run.children else None)
        if run_id in run.children.ended:  # since we looked
            self.ends.forget(run_id, on_end)
            return run.children.take_end(run_id) or await self._await_end(run, request)
        try:
            ended: EndedRun = await self._wait_durably(run, request, future)
        finally:
            self.ends.forget(run_id, on_end)
        await self._regain_slot(run)
        run.children.take_end(run_id)
        return ended

    def await_time(self, run: LoopRun, request: AwaitTime) -> Any:
        return self._await_time(run, request) if self.seconds_until(run, request.due_at) > 0 else None

    async def _await_time(self, run: LoopRun, request: AwaitTime) -> None:
        state = run.state
        future: asyncio.Future[None] = state.loop.create_future()
        seconds = max(0.0, self.seconds_until(run, request.due_at))
        timer = state.loop.call_later(seconds, finish, future, context=Context())
        try:
            await self._wait_durably(run, request, future)
        finally:
            timer.cancel()
        await self._regain_slot(run)

    async def _wait_durably(self, run: LoopRun, request: DurableWait, future: asyncio.Future[Any]) -> Any:
        """Wait without the slot, and look now and later whether the whole run waits for long enough to be parked."""
        state = run.state
        waits = state.durable_waits()
        waits.begin(request, future)
        self.room.yield_slot(run)
        if not state.is_to_look:  # one look for all that begin to wait in this turn of the loop: it asks every task
            state.is_to_look = True
            pause = max(0.0, state.looked_soon_at + gap_of(state) - state.loop.time())
            state.loop.call_later(pause, self._look_soon, run, context=Context())
        later: asyncio.TimerHandle

        def look() -> None:
            nonlocal later
            park_after = self.park_after()
            gap = gap_of(state)
            left = state.looked_at + max(min(LEAST_LOOK_SECONDS, park_after) / 10, gap) - state.loop.time()
            again = left if left > 0 and gap > park_after else max(park_after, LEAST_LOOK_SECONDS)
            if left <= 0:
                self._consider_parking(run, True)
                state.looked_at = state.loop.time()
            later = state.loop.call_later(again, look, context=Context())

        later = state.loop.call_later(self.park_after(), look, context=Context())
        try:
            return await self._wait(run, future)
        finally:
            waits.end(request, future)
            later.cancel()

    async def _regain_slot(self, run: LoopRun) -> None:
        """Go on only with a slot; a run of which any branch waits durably has none."""
        state = run.state
        if state.waits:
            return
        future: asyncio.Future[None] = state.loop.create_future()
        if not self.room.regain_slot(run, lambda: self._wake(state.loop, future)):
            await self._wait(run, future)

    def park_soon(self, run: LoopRun) -> None:
        state = run.state
        with suppress(RuntimeError):  # the loop is closed: the run is stranded, and will be found
            state.loop.call_soon_threadsafe(self._consider_parking, run, True)

    def _look_soon(self, run: LoopRun) -> None:
        state = run.state
        state.is_to_look = False
        state.looked_soon_at = state.loop.time()
        self._consider_parking(run, False)

    def _consider_parking(self, run: LoopRun, has_waited: bool) -> None:
        state = run.state
        waits = state.waits
        if run.interruption is not None or not waits:
            return
        if (has_waited or self.is_long(run, waits)) and waits_within(state.own_tasks(), waits.futures):
            entry = self.parking(run, waits)
            self.claims.append(run, entry, lambda verdict: self.interrupt(run))
            self.handed_in(run)


def gap_of(state: LoopState) -> float:
    """How many seconds lie between two looks at the run's tasks, at least."""
    return len(state.tasks) * LOOK_SECONDS_PER_TASK


def leave(token: Token[Branch | StepScope | None]) -> None:
    """Reset the scope; but for a task whose loop was closed before it ended, which is destroyed in any context."""
    with suppress(ValueError):
        scope.reset(token)
