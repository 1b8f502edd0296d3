"""Handing messages in from outside any run, and waiting until they are durable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from .._engine.door import Door
from .._engine.journal.lanes import Lane
from .._engine.runtime import Runtime
from .._entries import MessageSent, Verdict


def deliver(door: Door, entries: Sequence[MessageSent]) -> list[Verdict]:
    """Send from outside any run, and wait for the verdicts on this thread."""
    if not isinstance(door, Runtime):
        return door.make(entries)
    found: list[list[Verdict]] = []
    if entries:
        lane = Lane()
        number = door.execution.loop_host.append_messages(lane, entries, found.append)
        door.journal.wait(lane, number)
    return found[0] if found else []


async def deliver_on_loop(door: Door, entries: Sequence[MessageSent]) -> list[Verdict]:
    """The same on an event loop, which goes on meanwhile."""
    if not entries:
        return []
    if not isinstance(door, Runtime):
        return await asyncio.to_thread(door.make, entries)
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[Verdict]] = loop.create_future()
    host = door.execution.loop_host
    host.append_messages(Lane(), entries, partial(door.wakes.wake, loop, future))
    host.leaders.of(loop).call(loop)
    return await future
