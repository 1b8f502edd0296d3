"""Streams: `stream(key).write(value)`, in workflows and steps; read with `handle.stream(key)`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any, Final

from .._core.absent import no_run
from .._core.flow import drive
from .._core.flows.stream import check_open, streams_of
from .._core.flows.stream import close as close_flow
from .._core.flows.stream import write as write_flow
from .._core.given import limit_of, text_name
from .._core.lineage import Branch, StepScope, body_elsewhere, scope
from .._core.purity import check_may_act
from .._core.reading import Chunk, Reading, Rewound
from .._core.streams import source_of_branch, source_of_step
from .._engine.door import Door
from .._engine.held_run import held
from .._engine.hosting.asyncio.tasks import own_branch
from .._engine.watching.streams import StreamFollower
from .._streams import StreamSeen, StreamWritten
from ..errors import StreamRewoundError, UsageError, WaitTimeoutError
from ..typing import RunId, Seconds
from .app import running_loop, runtime_of
from .stream_pages import Paging, StreamPage, StreamTail

MOST_OFFSET: Final = (1 << 63) - 1
"""What both databases take: all that a process follows is asked for by one statement, which would fail for all."""


class Stream:
    """The writing end of a stream of the run in which it is used; made by `stream`."""

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = text_name(key, "stream: key")

    def __repr__(self) -> str:
        return f"<Stream {self.key}>"

    def write(self, value: object) -> None:
        """Add a value. It is not awaited in async code either, and waits for nothing: it is committed, and readers get
        it, within a few hundredths of a second, together with what else is written meanwhile.

        In a workflow a replay writes nothing again. In a step each attempt begins anew: what those before it have
        written is void, and readers are told. Raises `UsageError` outside any run, in a step that is a transaction,
        after the end of the attempt, and where the stream is closed; `SerializationError` for a value that cannot be
        stored.
        """
        here = scope.get()
        if isinstance(here, Branch):
            branch = own_branch(here)
            source = source_of_branch(branch.path)
            drive(write_flow(branch.run, self.key, source, value, is_instant=branch.is_async), branch.run)
        elif here is not None:
            write_in_step(here, self.key, value)
        elif body_elsewhere.get() is not None:
            raise UsageError(
                "stream.write() in the body of a step that runs in another process would reach no run: return the "
                "value, and let the workflow write it"
            )
        else:
            raise UsageError("stream.write() is for workflows and steps: outside a run there is nothing to write to")

    def close(self) -> None:
        """Nothing more will be written: readers come to the end. In a workflow; one that is not closed ends with its
        run. Again it does nothing.
        """
        here = scope.get()
        if not isinstance(here, Branch):
            raise UsageError(
                "stream.close() is for workflows: what a step writes is void when it is tried again, so let its "
                "workflow close the stream, or leave it open: it ends with the run"
            )
        branch = own_branch(here)
        source = source_of_branch(branch.path)
        drive(close_flow(branch.run, self.key, source, is_instant=branch.is_async), branch.run)


def stream(key: str) -> Stream:
    """A stream of the run in which this is called, by its key: `stream("tokens").write(value)`."""
    return Stream(key)


def write_in_step(here: StepScope, name: str, value: object) -> None:
    """What the attempt that is under way writes, from any thread or task of it."""
    run, call = here.run, here.call
    check_may_act(here, "stream.write()")
    if here.is_taken:
        raise UsageError(
            "a step that is a transaction cannot write to a stream, which has a commit of its own: return the value, "
            "and let the workflow write it"
        )
    run.check_not_over()
    if call is None or call.attempt != here.attempt:
        raise UsageError(f"attempt {here.attempt} of this step of run {run.run_id} is over: it writes nothing any more")
    check_open(run, name)
    stored, _ = run.serializer.accept(value, what=f"what is written to stream {name!r}")
    source = source_of_step(here.key)
    streams_of(run).note(source)
    number = run.next_entry_id()
    entry = StreamWritten(run.run_id, run.claim, number, name, source, here.attempt, stored.codec, [stored.text])
    runtime_of(run).execution.thread_host.write_chunks(held(run), entry)


class StreamReader:
    """The reading end of a stream of another run; made by `Handle.stream`.

    `for value in reader` and `async for value in reader` give the values from the offset on, wait for more, and come to
    the end when the stream is closed, or its run has ended, however it has. Where something that they have given was
    written by a step that is then tried again, they raise `StreamRewoundError`: so what they give is never wrong.
    `reader.chunks()` tells that between the chunks, and goes on. Each loop begins at the offset.
    """

    def __init__(self, door: Door, run_id: RunId, key: str, offset: int, seconds: float | None) -> None:
        self._door = door
        self._run_id = run_id
        self._key = key
        self._offset = offset
        self._seconds = seconds

    def __repr__(self) -> str:
        return f"<StreamReader of {self._key} of run {self._run_id}>"

    def chunks(self) -> Chunks:
        """The same with offsets, for `for` and `async for`: `Chunk(offset, value)`; and `Rewound(offset)`, after which
        all that stands from that offset on comes again. Who keeps a list cuts it there.
        """
        return Chunks(self._door, self._run_id, self._key, self._offset, self._seconds)

    async def apage(self, cursor: str | None = None, *, wait: Seconds = 0.0) -> StreamPage:
        """What there is behind the cursor of an earlier page, or from the offset on: for who serves a stream to others.
        Where there is nothing it waits so long for something, in seconds or as a `timedelta`. Raises
        `RunNotFoundError`.
        """
        self._check()
        return await Paging(self._door, self._run_id, self._key).page(self._offset, cursor, wait)

    async def atail(self) -> StreamTail:
        """Where the stream ends now, and whether that is for good. Raises `RunNotFoundError`."""
        self._check()
        return await Paging(self._door, self._run_id, self._key).tail()

    def _check(self) -> None:
        if isinstance(scope.get(), Branch):
            raise UsageError("a stream is read in a step, or outside any run: what a workflow saw of it would change")
        self._door.check_open()

    def __iter__(self) -> Iterator[Any]:
        for item in self.chunks():
            yield self._value(item)

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for item in self.chunks():
            yield self._value(item)

    def _value(self, item: Chunk | Rewound) -> Any:
        if isinstance(item, Chunk):
            return item.value
        raise StreamRewoundError(
            f"what was read of stream {self._key!r} of run {self._run_id} from offset {item.offset} on is void: the "
            f"step that wrote it is tried again. Forget that, and read from there: handle.stream({self._key!r}, "
            f"offset={item.offset}); or read by .chunks(), which goes on by itself",
            run_id=self._run_id,
            stream=self._key,
            offset=item.offset,
        )


class Chunks:
    """See `StreamReader.chunks`."""

    def __init__(self, door: Door, run_id: RunId, key: str, offset: int, seconds: float | None) -> None:
        self._door = door
        self._run_id = run_id
        self._key = key
        self._offset = offset
        self._seconds = seconds

    def __iter__(self) -> Iterator[Chunk | Rewound]:
        if (loop := running_loop()) is not None and loop is self._door.loop:
            raise UsageError(
                "`for` over a stream would block the event loop that may have to execute its run: `async for`"
            )
        reading, follower = self._begin()
        try:
            while not reading.is_over:
                has_come = threading.Event()
                follower.want(reading.next, has_come.set)
                if not has_come.wait(self._seconds):
                    raise self._late()
                yield from self._items(reading, follower.take())
        finally:
            self._door.following.forget(follower)

    async def __aiter__(self) -> AsyncIterator[Chunk | Rewound]:
        loop = asyncio.get_running_loop()
        reading, follower = self._begin()
        try:
            while not reading.is_over:
                future: asyncio.Future[None] = loop.create_future()
                follower.want(reading.next, partial(self._door.wakes.wake, loop, future))
                await asyncio.wait([future], timeout=self._seconds)
                if not future.done():
                    raise self._late()
                for item in self._items(reading, follower.take()):
                    yield item
        finally:
            self._door.following.forget(follower)

    def _begin(self) -> tuple[Reading, StreamFollower]:
        if isinstance(scope.get(), Branch):
            raise UsageError("a stream is read in a step, or outside any run: what a workflow saw of it would change")
        self._door.check_open()
        follower = StreamFollower(self._door.store.said, self._door.following, self._run_id, self._key)
        self._door.following.follow(follower)
        return Reading(self._door.serializer, self._offset), follower

    def _items(self, reading: Reading, seen: StreamSeen | None) -> Iterator[Chunk | Rewound]:
        assert seen is not None
        if seen.state is None:
            raise no_run(self._run_id, " to read from")
        return reading.items(seen)

    def _late(self) -> WaitTimeoutError:
        return WaitTimeoutError(
            f"nothing more came of stream {self._key!r} of run {self._run_id} within {self._seconds:g} seconds"
        )


def reader_of(door: Door, run_id: RunId, key: str, offset: int, timeout: Seconds | None) -> StreamReader:
    """Checked where it is asked for."""
    if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset <= MOST_OFFSET:
        raise UsageError(f"offset={offset!r}: give 0, or the offset of the last chunk that you have got, plus 1")
    return StreamReader(door, run_id, text_name(key, "stream: key"), offset, limit_of(timeout, "stream: timeout"))
