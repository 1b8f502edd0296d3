"""Streams by the page: for whoever serves them to others, and remembers where each of them is by a text."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from .._core.absent import no_run
from .._core.given import seconds_of
from .._core.reading import Chunk, Reading, Rewound
from .._engine.door import Door
from .._engine.watching.streams import StreamFollower
from .._streams import StreamSeen
from ..errors import UsageError
from ..typing import TERMINAL, RunId, Seconds

CURSOR: Final = re.compile(r"(\d{16})_(\d{16})")


@dataclass(frozen=True, slots=True)
class StreamPage:
    """Some chunks of a stream, in order. The next page is behind `cursor`, a text that sorts as the stream goes on.

    `rewound`: what the reader has got from this offset on is void, and this page is empty; the next one begins there.
    `is_last`: there is nothing more just now. `is_over`: nor will there be.
    """

    chunks: list[Chunk]
    cursor: str
    rewound: int | None
    is_last: bool
    is_over: bool


@dataclass(frozen=True, slots=True)
class StreamTail:
    """Where a stream ends now: the `cursor` behind all that is there. `is_known`: whether anything was ever written."""

    cursor: str
    is_over: bool
    is_known: bool


def cursor_at(offset: int, upto: int) -> str:
    """Behind what is before this offset, as it was read when the stream was so long."""
    return f"{offset:016d}_{upto:016d}"


class Paging:
    """One stream, for `StreamReader.apage` and `atail`."""

    def __init__(self, door: Door, run_id: RunId, key: str) -> None:
        self._door = door
        self._run_id = run_id
        self._key = key

    async def tail(self) -> StreamTail:
        """See `StreamReader.atail`."""
        said = self._door.store.said
        known = {each.name: each for each in await asyncio.to_thread(said.streams, self._run_id)}
        here = known.get(self._key)
        row = await asyncio.to_thread(self._door.store.runs.row, self._run_id)
        if row is None:
            raise no_run(self._run_id, " to read from")
        upto = 0 if here is None else here.upto
        is_over = row.state in TERMINAL or (here is not None and here.is_closed)
        return StreamTail(cursor_at(upto, upto), is_over, here is not None)

    async def page(self, offset: int, cursor: str | None, wait: Seconds) -> StreamPage:
        """See `StreamReader.apage`."""
        seconds = seconds_of(wait, "wait")
        if cursor is None:
            upto = int((await self.tail()).cursor.partition("_")[2])
        else:
            match = CURSOR.fullmatch(cursor) if isinstance(cursor, str) else None
            if match is None:
                raise UsageError(f"cursor={cursor!r}: give that of a page, or None for the beginning")
            offset, upto = int(match[1]), int(match[2])
        reading = Reading(self._door.serializer, offset, upto)
        [seen] = await asyncio.to_thread(self._door.store.said.chunks, [(self._run_id, self._key, offset)])
        found = self._read(reading, seen)
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + seconds
        while not found and not reading.is_over and (left := give_up_at - loop.time()) > 0:
            later = await self._next(reading.next, left)
            if later is not None:  # perhaps only what does not concern this reader
                seen, found = later, self._read(reading, later)
        if found and isinstance(found[-1], Rewound):
            now = int((await self.tail()).cursor.partition("_")[2])
            return StreamPage([], cursor_at(found[-1].offset, now), found[-1].offset, False, False)
        chunks = [item for item in found if isinstance(item, Chunk)]
        return StreamPage(chunks, cursor_at(reading.next, upto), None, seen.is_all, reading.is_over)

    def _read(self, reading: Reading, seen: StreamSeen) -> list[Chunk | Rewound]:
        if seen.state is None:
            raise no_run(self._run_id, " to read from")
        return list(reading.items(seen))

    async def _next(self, offset: int, seconds: float) -> StreamSeen | None:
        """The next rows, if they come in time."""
        following, loop = self._door.following, asyncio.get_running_loop()
        follower = StreamFollower(self._door.store.said, following, self._run_id, self._key)
        future: asyncio.Future[None] = loop.create_future()
        following.follow(follower)
        try:
            follower.want(offset, partial(self._door.wakes.wake, loop, future))
            with suppress(TimeoutError):
                await asyncio.wait_for(future, seconds)
            return follower.take()
        finally:
            following.forget(follower)
