"""`Client`: a process's own end of a database in which it executes nothing.

It makes runs, waits for them, looks at them and ends them. It has no row among the workers: what it writes, new runs
and cancels, touches nothing that a worker holds.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

from .._core.definitions import DEFINITIONS
from .._core.flows.child import check_created
from .._core.given import flag, seconds_of, text_name
from .._core.lineage import Branch, scope
from .._core.serialization import Codec
from .._engine.ids import fresh_id
from .._engine.options import Settings, options_of
from .._engine.outside.outside import Outside
from .._entries import RunCreated, Stored, Verdict
from ..errors import UsageError
from ..stores.open import open_store, redact
from ..typing import DEFAULT_QUEUE, TERMINAL, RunId, RunKind, Seconds
from .app import DEFAULT_URL, text_of_url
from .asking import find_row
from .enqueued import aenqueue, enqueue
from .existing import settle_existing
from .handle import Handle
from .inspection import Runs
from .many import calls_of, in_parts, telling
from .options import RunOptions, Submission, submission_of
from .overview import Examination, WorkerSummary, examination_of, workers_of
from .queue import Queue
from .queues import Queues
from .schedules import Schedules
from .speaking import Talking
from .starting import bound, definition_of, store_arguments
from .wanted_runs import queue_name
from .whole_runs import export, import_text, move

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE_SECONDS = 30.0
MOST_ATTEMPTS = 10
"""Of a function of which only the name is known."""
_OWN_SETTINGS = ("migrate", "patience_seconds")


class ClientSettings(TypedDict, total=False):
    """What a client can be told; see `Client`."""

    migrate: bool
    patience_seconds: Seconds
    poll_seconds: Seconds
    max_value_bytes: int
    codec: Codec
    readable: tuple[Codec, ...]


class ClientOptions(RunOptions, total=False):
    """How a client's run is to be made; see `Client.with_options`."""

    queue: Queue | str
    kind: RunKind


class Submitter:
    """Makes runs with options, through a client; made by `Client.with_options`."""

    def __init__(self, client: Client, submission: Submission, kind: RunKind | None = None) -> None:
        self._client = client
        self._submission = submission
        self._kind = kind

    @overload
    def submit(self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> Handle[R]: ...
    @overload
    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Handle[R]: ...
    @overload
    def submit(self, fn: str, /, *args: Any, **kwargs: Any) -> Handle[Any]: ...
    def submit(self, fn: Callable[..., Any] | str, /, *args: Any, **kwargs: Any) -> Handle[Any]:
        """Make a run of a workflow or step; returns when it is durable. A worker executes it.

        `fn` is the function, or its name (`module:function`) where this process does not have it; then nobody can check
        the arguments here, and the worker does. Raises `SerializationError` for arguments that cannot be stored,
        `RunExistsError` where the id is another run's, and `StoreError` where the database does not answer.
        """
        entry = self._entry(fn, args, kwargs)
        if self._submission.connection is not None:
            return enqueue(self._writing(), [entry], self._submission)[0]
        [verdict] = self._client.outside().make([entry])
        return self._accept(entry, verdict)

    @overload
    async def asubmit(
        self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Handle[R]: ...
    @overload
    async def asubmit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Handle[R]: ...
    @overload
    async def asubmit(self, fn: str, /, *args: Any, **kwargs: Any) -> Handle[Any]: ...
    async def asubmit(self, fn: Callable[..., Any] | str, /, *args: Any, **kwargs: Any) -> Handle[Any]:
        """`submit` from a coroutine: the event loop goes on until the run is durable."""
        entry = self._entry(fn, args, kwargs)
        if self._submission.connection is not None:
            door = await asyncio.to_thread(self._writing)
            return (await aenqueue(door, [entry], self._submission))[0]
        [verdict] = await self._client.outside().amake([entry])
        if self._submission.on_existing == "return":
            return self._accept(entry, verdict)
        return await asyncio.to_thread(self._accept, entry, verdict)

    def submit_many(self, fn: Callable[..., Any] | str, calls: Iterable[Iterable[Any]], /) -> list[Handle[Any]]:
        """A run for each of the argument lists, such as `[(1, "a"), (2, "b")]`, in as few transactions as they fit in.

        Up to 10,000 are checked together: none is made where one of them cannot be stored. Of more, those of the ten
        thousands before are made, and the error says how many.
        """
        handles: list[Handle[Any]] = []
        with telling(handles):
            for part in in_parts(calls_of(calls, self._submission)):
                entries = [self._entry(fn, *call) for call in part]
                if self._submission.connection is not None:
                    handles += enqueue(self._writing(), entries, self._submission)
                else:
                    handles += map(self._accept, entries, self._client.outside().make(entries))
        return handles

    async def asubmit_many(self, fn: Callable[..., Any] | str, calls: Iterable[Iterable[Any]], /) -> list[Handle[Any]]:
        """`submit_many` from a coroutine: the event loop goes on meanwhile."""
        handles: list[Handle[Any]] = []
        with telling(handles):
            for part in in_parts(calls_of(calls, self._submission)):
                if self._submission.connection is not None:
                    door = await asyncio.to_thread(self._writing)
                    entries = [self._entry(fn, *call) for call in part]
                    handles += await aenqueue(door, entries, self._submission)
                else:
                    handles += await asyncio.to_thread(self.submit_many, fn, [args for args, _ in part])
        return handles

    def _writing(self) -> Outside:
        """The door, once the database has the functions of this release."""
        outside = self._client.outside()
        outside.open(writes=True)
        return outside

    def _entry(self, fn: Callable[..., Any] | str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RunCreated:
        if type(scope.get()) is Branch:
            raise UsageError(
                "a client's run made in a workflow would be made again at a replay: submit it in a step, or to a Queue"
            )
        submission, outside = self._submission, self._client.outside()
        definition = DEFINITIONS.get(text_name(fn, "submit: fn")) if isinstance(fn, str) else definition_of(fn)
        if definition is None:
            stored, _, _ = outside.serializer.accept_arguments(args, kwargs, what=f"{fn}, its arguments")
            fingerprint = outside.serializer.fingerprint(stored)
            return entry_of(submission, self._kind or "workflow", str(fn), stored, fingerprint)
        arguments = bound(fn, (args, kwargs))
        stored, fingerprint = store_arguments(outside.serializer, definition, arguments, submission)
        return entry_of(submission, definition.kind, definition.name, stored, fingerprint, definition.max_attempts)

    def _accept(self, entry: RunCreated, verdict: Verdict) -> Handle[Any]:
        run_id = check_created(entry, verdict, shares=self._submission.shares_duplicates)
        settle_existing(self._client.outside(), verdict, self._submission)
        return Handle(self._client.outside(), run_id)


def entry_of(
    submission: Submission, kind: RunKind, name: str, stored: Stored, fingerprint: str, most: int = MOST_ATTEMPTS
) -> RunCreated:
    """The entry of an outsider's run."""
    drawn = fresh_id()
    entry = submission.entry_type(submission.id or drawn, kind, name, fingerprint, stored, drawn, max_attempts=most)
    return submission.addressed(entry)


class Client(Submitter, Talking):
    """Makes runs in the database at `url`, waits for them, talks to them, finds them and ends them; executes none.

    For a web process that submits, a script, or a program without the workflows' code. `url` is as for `Perdure`;
    nothing is opened before the first call. Settings:

    `migrate`: True, bring the schema up to date at first, as a worker does; False, refuse a database whose schema is
    not that of this release, and make nothing. `patience_seconds` (30): so long a call is tried again while the
    database does not answer. `poll_seconds` (1): how often it looks for the end of a run that somebody waits for, after
    it has looked more often at first. `max_value_bytes`, `codec` and `readable` as for `Perdure`.

    May be used by several threads and event loops at once. `with client:` or `async with client:` closes it.
    """

    def __init__(self, url: str | os.PathLike[str] | None = None, **settings: Unpack[ClientSettings]) -> None:
        unknown = [name for name in settings if name not in ClientSettings.__annotations__]
        if unknown:
            raise UsageError(
                f"Client has no setting {', '.join(unknown)}; there are {', '.join(ClientSettings.__annotations__)}"
            )
        self._url = text_of_url(url if url is not None else os.environ.get("PERDURE_URL") or DEFAULT_URL)
        self._is_maker = flag(settings.get("migrate", True), "migrate")
        self._patience = seconds_of(settings.get("patience_seconds", PATIENCE_SECONDS), "patience_seconds")
        options: Any = {name: value for name, value in settings.items() if name not in _OWN_SETTINGS}
        self._options = options_of(cast("Settings", options))
        self._lock = threading.Lock()
        self._outside: Outside | None = None
        self._is_closed = False
        super().__init__(self, Submission())
        self.runs = Runs(self.opened)
        """Finds runs, looks at one, ends many; see `Runs`."""
        self.schedules = Schedules(self.opened)
        """Looks at schedules and steers them; see `Schedules`."""
        self.queues = Queues(self.outside)
        """Lists queues, changes their limits, pauses them; see `Queues`."""
        _CLIENTS.add(self)

    @property
    def url(self) -> str:
        """The database's URL, without its password."""
        return redact(self._url)

    def __repr__(self) -> str:
        return f"<Client of {self.url}>"

    def with_options(self, **options: Unpack[ClientOptions]) -> Submitter:
        """How to submit: `client.with_options(queue="docs", id="order-17").submit(fn, ...)`.

        `queue` is a `Queue` or its name; without one the run is started outside any queue. `id`, `delay`, `at`,
        `priority`, `attributes`, `timeout`, `deadline`, `dedup`, `on_duplicate` and `dedup_until` as in
        `perdure.with_options`. `kind` ("workflow", which it is otherwise, or "step") says what a function is of which
        only the name is given.
        """
        queue, kind = options.pop("queue", DEFAULT_QUEUE), options.pop("kind", None)
        if kind not in (None, "workflow", "step"):
            raise UsageError(f'kind={kind!r}: give "workflow" or "step"')
        return Submitter(self, submission_of(cast("RunOptions", options), queue_name(queue)), kind)

    def handle(self, run_id: RunId) -> Handle[Any]:
        """The handle of a run by its id. Raises `RunNotFoundError` where there is none."""
        outside = self.opened()
        has_ended = find_row(outside, text_name(run_id, "run_id")).state in TERMINAL
        outside.ends.look_back(run_id, has_ended=has_ended)
        return Handle(outside, run_id)

    async def ahandle(self, run_id: RunId) -> Handle[Any]:
        """`handle` from an event loop, which goes on meanwhile."""
        return await asyncio.to_thread(self.handle, run_id)

    def workers(self) -> list[WorkerSummary]:
        """The processes that work on this database, in the order in which they joined."""
        return workers_of(self.opened().store.finder)

    def examine(self) -> Examination:
        """What the database says that bears on its runs: for `perdure doctor`, and for health checks of your own."""
        return examination_of(self.opened().store)

    def export_run(self, run_id: RunId, *, children: bool = False) -> dict[str, Any]:
        """A run with its whole history as a document, as JSON can say it; with `children` also the runs that it has
        made, down the tree, and those that undo what they did (10,000 in all, `UsageError` else). Raises
        `RunNotFoundError`. A run that executes just now is exported as far as it is committed.
        """
        return export(self.opened().store, text_name(run_id, "run_id"), children=flag(children, "children"))

    def import_runs(self, text: str, *, run_id: RunId | None = None, where: str = "the text") -> list[RunId]:
        """Put the runs of a document, or of many, one on each line as an archive has them, into this database, in one
        transaction; with `run_id` the document that has that run. Their ids. What has not ended goes on here.

        Raises `UsageError` for what is no such text or of another version of the format, `RunExistsError` where a run
        of it is there already, and `StoreRefusedError` where its rows do not fit. `where` it comes from, for errors.
        """
        outside = self.outside()
        outside.open(writes=True)
        return import_text(outside.store, text, run_id=run_id, where=where)

    def move_to(self, url: str | os.PathLike[str], *, tell: Callable[[int], None] | None = None) -> Mapping[str, int]:
        """Move everything in this database into the one at `url`, runs in flight too, and close this one: how many rows
        each table had. All or nothing; `tell` is called with the number of runs so far.

        Raises `UsageError` where a worker works on either database, or where the other one has a run of the same id.
        """
        outside = self.outside()
        outside.open(writes=True)
        return move(outside.store, self._url, text_of_url(url), tell or (lambda moved: None))

    def missing_sql(self) -> str:
        """The SQL that brings the schema up to date, for who may not let a program do that; empty where it is. Runs
        nothing.
        """
        return self.outside().store.missing_sql()

    def migrate(self) -> None:
        """Bring the schema up to date now, whatever the setting `migrate` says. Idempotent."""
        self.outside().store.migrate()

    def close(self) -> None:
        """Let go of the database. Who still waits here for a run is told so; the runs go on. Idempotent."""
        with self._lock:
            self._is_closed = True
            outside, self._outside = self._outside, None
        if outside is not None:
            outside.close()

    async def aclose(self) -> None:
        """`close` from an event loop, which goes on meanwhile."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def outside(self) -> Outside:
        """The door that all of this goes through, opened or not. Raises `UsageError` where the client is closed."""
        outside = self._outside
        if outside is not None:
            return outside
        with self._lock:
            if self._is_closed:
                raise UsageError(f"this client of {self.url} is closed: make another one")
            if self._outside is None:
                store = open_store(self._url)
                self._outside = Outside(
                    store, self._options, DEFINITIONS, patience_seconds=self._patience, is_maker=self._is_maker
                )
            return self._outside

    def opened(self) -> Outside:
        """The same, once the database is known to be what this release reads."""
        outside = self.outside()
        outside.open()
        return outside

    def forget_parent(self) -> None:
        """In a forked child: the next call opens connections of its own."""
        self._lock = threading.Lock()
        outside, self._outside = self._outside, None
        if outside is not None:
            outside.abandon()


_CLIENTS: weakref.WeakSet[Client] = weakref.WeakSet()


def _forget_parent() -> None:
    for client in list(_CLIENTS):
        with suppress(Exception):
            client.forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)
