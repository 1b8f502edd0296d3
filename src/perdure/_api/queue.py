"""Starting runs: `start`, `Queue`, and the options of a start."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Executor
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from .._core.definitions import DEFINITIONS
from .._core.given import limit_of, text_name
from .._core.lineage import Branch, scope
from .._core.tracebacks import forget_frames
from ..typing import TERMINAL, RunId, Seconds
from .app import current_runtime
from .asking import find_row
from .handle import Handle
from .many import calls_of
from .options import PLAIN, RunOptions, Submission, submission_of
from .queue_limits import QueueLimits, declared_limits
from .refused import refuse_executor_in_run
from .starting import astart as _astart
from .starting import astart_all, definition_of, start_all
from .starting import start as _start

P = ParamSpec("P")
R = TypeVar("R")


class Starter:
    """Starts runs outside any queue, with options; made by `perdure.with_options`."""

    def __init__(self, submission: Submission = PLAIN) -> None:
        self._submission = submission

    @overload
    def start(self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> Handle[R]: ...
    @overload
    def start(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Handle[R]: ...
    def start(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Handle[Any]:
        """Start a run of a workflow or step; returns when it is durable.

        Inside a run it returns at once, unless an `id` was given: then it waits for one commit, to know whether that
        is taken. In an async workflow use `astart` then, or the event loop waits too.
        """
        return _start(fn, (args, kwargs), self._submission)

    @overload
    async def astart(
        self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Handle[R]: ...
    @overload
    async def astart(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Handle[R]: ...
    async def astart(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Handle[Any]:
        """`start` from a coroutine: the event loop goes on until the run is durable."""
        return await _astart(fn, (args, kwargs), self._submission)

    @overload
    def call(
        self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def call(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    def call(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Start a run and wait for its value: a direct call with options, such as an `id`. To be awaited where the
        function is async. Called again with the same id it gives the value of the same run, and executes nothing.
        """
        if definition_of(fn).is_async:
            return self._acall(fn, args, kwargs)
        try:
            return _start(fn, (args, kwargs), self._submission).result()
        except BaseException as error:
            forget_frames(error)
            raise

    async def _acall(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return await (await _astart(fn, (args, kwargs), self._submission))
        except BaseException as error:
            forget_frames(error)
            raise


_plain = Starter()
start = _plain.start
astart = _plain.astart


def with_options(**options: Unpack[RunOptions]) -> Starter:
    """How to start: `perdure.with_options(id="order-17").start(fn, ...)`.

    `id` makes the start idempotent: the same id and arguments give the same run, other arguments or another workflow
    raise `RunExistsError`. Where it exists, `on_existing="refuse"` raises that too; with `"retry"` a run that has not
    ended well goes on from where it failed, with `"restart"` one that has ended starts anew: see `perdure.runs`.
    `delay` in seconds or as a `timedelta`, counted by the database's clock, or `at`, a
    `datetime` with a time zone: not before. Runs of lower `priority`, a whole number, begin first. `attributes`, at
    most 32 names with values (texts, numbers, True or False), are by what people find the run:
    `runs.list(attributes=...)`.

    `timeout` in seconds or as a `timedelta`, counted from when the run may begin, and `deadline`, a `datetime` with a
    time zone: a run that is not over by then (the earlier of both) ends as a cancelled one, and whoever waits gets
    `RunTimeoutError`. Children inherit it; a `detached` child does not, and is not cancelled with its parent.

    `dedup` is a key that one run of the queue has at a time, from its submission until it has ended in whatever way,
    or, with `dedup_until="start"`, until it begins. While another run has it, none is made: `DuplicateRunError` names
    that one, or, with `on_duplicate="return_existing"`, the handle is that one's, whatever its arguments.

    `debounce`, with `dedup`: the run begins when nobody has submitted its key for so long, with the arguments of the
    last, but at most `debounce_longest` after the first. Each gets the handle of that one run.
    """
    return Starter(submission_of(options))


def handle(run_id: RunId) -> Handle[Any]:
    """The handle of a run by its id. Raises `RunNotFoundError` where there is none."""
    text_name(run_id, "run_id")
    runtime = current_runtime()
    runtime.ends.look_back(run_id, has_ended=find_row(runtime, run_id).state in TERMINAL)
    return Handle(runtime, run_id)


async def ahandle(run_id: RunId) -> Handle[Any]:
    """`handle` from an event loop, which goes on meanwhile; in a run it is `handle`."""
    return handle(run_id) if type(scope.get()) is Branch else await asyncio.to_thread(handle, run_id)


_blocks: ContextVar[tuple[Block, ...]] = ContextVar("perdure_blocks", default=())
"""The `with queue:` blocks in which the running code stands, and the tasks that it makes there."""


class Block:
    """One `with queue:` block, and what was submitted in it."""

    __slots__ = ("handles", "queue")

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.handles: list[Handle[Any]] = []

    @staticmethod
    def find(queue: str) -> Block | None:
        """The innermost block of this queue."""
        return next((block for block in reversed(_blocks.get()) if block.queue == queue), None)


class QueueStarter(Executor):
    """Submits to one queue, with options; a `concurrent.futures.Executor`. Made by `Queue.with_options`."""

    def __init__(self, submission: Submission) -> None:
        self._submission = submission

    @overload
    def submit(self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> Handle[R]: ...
    @overload
    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Handle[R]: ...
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Handle[Any]:
        """Put a run of a workflow or step on the queue; returns when it is durable.

        Inside a run it returns at once, unless an `id` was given: see `start` of `perdure.with_options`.

        Raises `NotDurableError` for a function that is neither, and `SerializationError` for arguments that cannot be
        stored; then nothing was started.
        """
        refuse_executor_in_run(self._submission.queue)
        return self._note([_start(fn, (args, kwargs), self._submission)])[0]

    @overload
    async def asubmit(
        self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Handle[R]: ...
    @overload
    async def asubmit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Handle[R]: ...
    async def asubmit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Handle[Any]:
        """`submit` from a coroutine: the event loop goes on until the run is durable."""
        return self._note([await _astart(fn, (args, kwargs), self._submission)])[0]

    def submit_many(self, fn: Callable[..., Any], calls: Iterable[Iterable[Any]], /) -> list[Handle[Any]]:
        """A run for each of the argument lists, such as `[(1, "a"), (2, "b")]`, in as few commits as they fit in;
        returns when all are durable, in a run at once.

        Up to 10,000 are checked together: none is made where one of them cannot be stored. Of more, those of the ten
        thousands before are made, and the error says how many.
        """
        refuse_executor_in_run(self._submission.queue)
        return self._note(start_all(fn, calls_of(calls, self._submission), self._submission))

    async def asubmit_many(self, fn: Callable[..., Any], calls: Iterable[Iterable[Any]], /) -> list[Handle[Any]]:
        """`submit_many` from a coroutine: the event loop goes on meanwhile."""
        return self._note(await astart_all(fn, calls_of(calls, self._submission), self._submission))

    def map(
        self,
        fn: Callable[..., R],
        *iterables: Iterable[Any],
        timeout: Seconds | None = None,
        chunksize: int = 1,
    ) -> Iterator[R]:
        """As `Executor.map`: submits all calls at once, in as few commits as they fit in; gives the values in the order
        of the calls. `timeout` is for all of them together.

        Stopping early, or a timeout, does not cancel the runs that were submitted.
        """
        seconds = limit_of(timeout, "timeout")
        until = None if seconds is None else time.monotonic() + seconds
        handles = self._note(start_all(fn, ((args, {}) for args in zip(*iterables, strict=False)), self._submission))
        return (handle.result(None if until is None else max(0.0, until - time.monotonic())) for handle in handles)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing to stop: the runs are durable, and `perdure.shutdown()` ends the work of the process."""

    def _note(self, made: list[Handle[Any]]) -> list[Handle[Any]]:
        if (block := Block.find(self._submission.queue)) is not None:
            block.handles += made
        return made


class Queue(QueueStarter):
    """A durable queue in the place of a `ThreadPoolExecutor`. Making one does no I/O.

    `worker_concurrency` is how many of its runs execute at once in each process, by default as many as that pool has
    threads: `min(32, cpus + 4)`. With 1 the next run begins when the end of the one before it is durable; with more, as
    soon as that has ended, while it is committed.

    The other limits hold for all processes together, and are None, without limit, unless given. `concurrency`: so many
    runs at once. `rate`: so many starts within so many seconds, as `(100, 60)`, in whatever window of that length.
    `key_concurrency` and `key_rate`: the same for the runs of each key (`with_options(key=...)`). `on_overflow`: what
    becomes of runs for which `key_concurrency`, or else `concurrency`, has no room when a worker looks: they "wait";
    the oldest that execute are cancelled for them, "cancel_running"; or they are, "cancel_newest". A queue with any of
    them is asked for each run, so its runs begin in the database's time; one without pays nothing.

    The launch writes them into the database. `perdure.queues.set` changes them there, and `worker_concurrency` too,
    while all works: of each the last change counts, so that the same program, launched again, takes nothing back.

    As a context manager it waits, at the end of the block, for what the code of the block submitted, and the tasks that
    were made there; other threads have blocks of their own. Raises `UsageError` for a limit that cannot be, and where a
    queue of the name has others in this program.
    """

    def __init__(self, name: str, concurrency: int | None = None, **limits: Unpack[QueueLimits]) -> None:
        self.name = text_name(name, "Queue: name")
        given = declared_limits(name, concurrency, limits)
        own = given.pop("worker_concurrency", None) or min(32, (os.cpu_count() or 1) + 4)
        super().__init__(Submission(queue=name))
        self.concurrency: int | None = given.get("concurrency")
        self.worker_concurrency: int = own
        self._declared = given
        DEFINITIONS.add_queue(name, own, given)

    def __repr__(self) -> str:
        limits = {"worker_concurrency": self.worker_concurrency, **self._declared}
        return f"Queue({self.name!r}, {', '.join(f'{name}={value!r}' for name, value in limits.items())})"

    def with_options(self, **options: Unpack[RunOptions]) -> QueueStarter:
        """How to submit: `queue.with_options(priority=-1).submit(fn, ...)`; see `perdure.with_options`."""
        return QueueStarter(submission_of(options, self.name))

    def __enter__(self) -> Queue:
        _blocks.set((*_blocks.get(), Block(self.name)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        ended = Block.find(self.name)
        _blocks.set(tuple(block for block in _blocks.get() if block is not ended))
        for handle in ended.handles if ended is not None else ():
            handle.exception()
