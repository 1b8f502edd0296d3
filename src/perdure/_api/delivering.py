"""Handing messages in from outside any run, and waiting until they are durable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from .._engine.journal.lanes import Lane
from .._engine.runtime import Runtime
from .._entries import MessageSent, Verdict


def deliver(runtime: Runtime, entries: Sequence[MessageSent]) -> list[Verdict]:
    """Send from outside any run, and wait for the verdicts on this thread."""
    found: list[list[Verdict]] = []
    if entries:
        lane = Lane()
        number = runtime.execution.loop_host.append_messages(lane, entries, found.append)
        runtime.journal.wait(lane, number)
    return found[0] if found else []


async def deliver_on_loop(runtime: Runtime, entries: Sequence[MessageSent]) -> list[Verdict]:
    """The same on an event loop, which goes on meanwhile."""
    if not entries:
        return []
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[Verdict]] = loop.create_future()
    host = runtime.execution.loop_host
    host.append_messages(Lane(), entries, partial(runtime.wakes.wake, loop, future))
    host.leaders.of(loop).call(loop)
    return await future
