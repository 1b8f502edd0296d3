"""How an async run's calls wait for their turns, and for whatever else is not the run's own code."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any

from ...._core.flow import BeginReplay, CatchUp, Pause, StayOpen, Turn
from ...._core.flows.turn import NO_TURN
from ..host import Host
from ..replays import LOOK_SECONDS
from .gate import Gate
from .rest import rest_of
from .state import LoopRun
from .wakeups import finish


class LoopTurns(Host[LoopRun]):
    """The part of the async host that hands outcomes over; see `gate` for what that promises."""

    async def _wait(self, run: LoopRun, future: asyncio.Future[Any]) -> Any:
        """Wait for something that is not the run's own code; the end of the loop interrupts the run."""
        state = run.state
        state.futures.add(future)
        try:
            return await future
        except asyncio.CancelledError:
            self._check_loop(run)
            raise
        finally:
            state.futures.discard(future)
            if state.gate is not None:
                state.gate.look_again()

    @staticmethod
    def _check_loop(run: LoopRun) -> None:
        """Tell a loop that ends from a run that cancels its own call."""
        state = run.state
        if state.is_closing:
            run.interrupt("closing")

    async def stay_open(self, run: LoopRun, request: StayOpen) -> None:
        gate, future = self._gate(run), run.state.loop.create_future()
        run.order.stays_open(request.key)
        gate.open.add(future)
        try:
            await self._wait(run, future)
        finally:
            gate.open.discard(future)
            run.order.was_closed(request.key)

    def turn(self, run: LoopRun, request: Turn) -> Any:
        has_waited, run.state.has_waited = run.state.has_waited, False
        run.check_alive()
        if request.is_cancel:
            return self._cancelled_turn(run, request.key)
        if has_waited and self._is_next(run):
            return run.order.advance(request.key) if request.is_numbered else NO_TURN
        return self._turn(run, request)

    @staticmethod
    def _is_next(run: LoopRun) -> bool:
        """Whether a fresh outcome is handed over without the two passes of the loop that the gate takes: a call of a
        run with one branch, which nothing competes with, that has gone through the loop already, so that what the run
        had made ready before it has had its turn.
        """
        return not (run.is_concurrent or run.is_behind) and rest_of(run.state.loop).is_but_for(run)

    async def _turn(self, run: LoopRun, request: Turn) -> tuple[int | None, bool]:
        gate, futures = self._gate(run), run.state.futures
        future = gate.wait(request.key, is_numbered=request.is_numbered, due_at=request.due_at)
        futures.add(future)
        try:
            await future
            run.check_alive()  # it may have been interrupted since, and not have been told yet
            return run.order.advance(request.key) if request.is_numbered else NO_TURN
        except asyncio.CancelledError:
            self._check_loop(run)
            raise
        finally:
            gate.taken(future)
            futures.discard(future)

    async def _cancelled_turn(self, run: LoopRun, key: str) -> tuple[int, bool]:
        future = self._gate(run).wait_cancelled(key)
        with suppress(asyncio.CancelledError):
            await self._wait(run, future)
        run.check_alive()
        return future.result()

    async def catch_up(self, run: LoopRun, request: CatchUp) -> None:
        run.check_alive()
        await self._wait(run, self._gate(run).catch_up(request.key))

    async def begin_replay(self, run: LoopRun, request: BeginReplay) -> None:
        since = time.monotonic()
        while not self.replays.may_begin(run, since):
            await self.pause(run, Pause(LOOK_SECONDS))

    def _gate(self, run: LoopRun) -> Gate:
        state = run.state
        if state.gate is None:
            patience = self.options.replay_patience_seconds
            give_up, answers = partial(self.give_up, run), state.answers
            state.gate = Gate(run, state.loop, state.tasks, patience, give_up, answers)
        return state.gate

    async def pause(self, run: LoopRun, request: Pause) -> None:
        state = run.state
        future: asyncio.Future[None] = state.loop.create_future()
        timer = state.loop.call_later(request.seconds, finish, future, context=Context())
        try:
            await self._wait(run, future)
        finally:
            timer.cancel()
