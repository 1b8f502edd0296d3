"""The host of async runs, with what they send and receive: as `host` does, on the loop that the run lives on."""

from __future__ import annotations

import asyncio
from contextvars import Context
from functools import partial

from ...._core.flow import Await, CloseHook, Send
from ...._entries import Arrived, Verdict
from .host import LoopHost
from .state import LoopRun
from .wakeups import finish


class TalkingLoopHost(LoopHost):
    """Answers all that an async run asks for."""

    async def await_arrival(self, run: LoopRun, request: Await) -> Arrived | None:
        state = run.state
        arrivals = self.arrivals
        while True:
            future: asyncio.Future[None] = state.loop.create_future()
            on_told = partial(self._wake, state.loop, future)
            timer: asyncio.TimerHandle | None = None
            arrivals.watch(run.run_id, request.wait, on_told)
            try:
                arrival = arrivals.at_hand(run, request)
                if arrival is None:
                    await self._off_loop(run, partial(arrivals.look, run, request))
                    arrival = arrivals.at_hand(run, request)
                seconds = None if request.due_at is None else self.seconds_until(run, request.due_at)
                if arrival is not None or (seconds is not None and seconds <= 0):
                    return arrival
                if seconds is not None:
                    timer = state.loop.call_later(seconds, finish, future, context=Context())
                arrivals.follow(request, on_told)
                await self._wait_durably(run, request, future)
            finally:
                arrivals.forget(run.run_id, on_told)
                if timer is not None:
                    timer.cancel()
            await self._regain_slot(run)

    async def send(self, run: LoopRun, request: Send) -> list[Verdict]:
        state = run.state
        future: asyncio.Future[list[Verdict]] = state.loop.create_future()
        self.append_messages(run.lane, request.entries, partial(self._wake, state.loop, future))
        self.handed_in(run)
        verdicts: list[Verdict] = await self._wait(run, future)
        return verdicts

    async def close_hook(self, run: LoopRun, request: CloseHook) -> Verdict:
        state = run.state
        future: asyncio.Future[Verdict] = state.loop.create_future()
        self.journal.append(run.lane, request.entry, partial(self._wake, state.loop, future), leads=True)
        self.handed_in(run)
        verdict: Verdict = await self._wait(run, future)
        return verdict
