"""Transactional steps: the user's SQL and the step's outcome in one commit."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeVar

from .._core.definitions import Definition
from .._core.flow import Outcome
from .._core.flows.step import store_outcome
from .._core.lineage import StepScope, scope
from .._core.retry import ON_CONFLICT, Retry, retry_of
from .._core.step_call import StepCall
from .._engine.trouble import Trouble, until_answered
from .._entries import StepRecorded, Stored
from ..errors import RunInterrupted, TransactionConflictError, UsageError
from ..stores.elsewhere import Elsewhere
from ..stores.protocol import Store
from ..typing import Seconds
from .app import current_runtime
from .decorators import wrap
from .transacting.driving import adrive, asking, drive, within
from .transacting.opened import Ask, Opened, Source, Work, reaches, source_of

R = TypeVar("R")

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
CONFLICTS = ("40001", "40P01")


class CommitUnknown(Exception):  # noqa: N818  # what is known of it
    """COMMIT was sent, and something else than its answer came back."""


class AlreadyRecorded(Exception):  # noqa: N818  # what has happened
    """Another attempt has committed: this one must not."""


class Transactions:
    """Steps whose SQL and whose outcome are one commit: they take effect exactly once, or not at all.

    `source` is where connections come from: a function that opens one of psycopg 3 (sync or `async def`) or of the
    standard library's `sqlite3`; a pool of `psycopg_pool`; an engine or sessionmaker of SQLAlchemy 2, sync or async; or
    `django.db.connections[alias]`. Each attempt gets a connection and a transaction of its own.

    Exactly once holds where the connection reaches the database that Perdure works in: the transaction's last statement
    looks whether this process still may write and still holds the run, and adds the outcome. Another database gets a
    small table, `perdure_steps`: there, too, each step's effect is committed once, but a process that was taken for
    dead, and wakes up, may commit an attempt that the next one then adopts.
    """

    def __init__(self, source: Any) -> None:
        self._source = source_of(source)
        self._is_here: dict[str, bool] = {}
        self._is_laid = False

    def step(
        self,
        function: Any = None,
        /,
        *,
        retries: Retry | int = ON_CONFLICT,
        timeout: Seconds | None = None,
        name: str | None = None,
        max_attempts: int = 10,
        ignore: Collection[str] = (),
        fingerprint: Callable[..., object] | None = None,
    ) -> Any:
        """Make a function a transactional step. Its first parameter is the connection or session, which callers leave
        out; the other parameters, the result and the options are those of `@step`.

        Commit, rollback and close are not the body's to call. Where it raises, nothing of it has happened. Two
        transactions that the database could not bring into an order (SQLSTATE 40001, 40P01) raise
        `TransactionConflictError`, and the body runs again, up to ten times, after pauses that grow from ten
        milliseconds, unless `retries` says otherwise.
        """

        def decorate(function: Any) -> Any:
            return self._wrapped(
                function,
                name=name,
                retry=retry_of(retries, "@step"),
                timeout=timeout,
                max_attempts=max_attempts,
                ignore=ignore,
                fingerprint=fingerprint,
            )

        return decorate if function is None else decorate(function)

    def _wrapped(self, function: Any, **options: Any) -> Any:
        if not inspect.isfunction(function):
            raise UsageError(f"Transactions.step decorates functions; got {type(function).__name__}")
        is_async = inspect.iscoroutinefunction(function)
        if is_async is not self._source.is_async:
            kinds = ("sync", "async")
            raise UsageError(
                f"{function.__qualname__} is {kinds[is_async]} and its connections are {kinds[self._source.is_async]}: "
                "make both the same"
            )
        signature = inspect.signature(function)
        parameters = [*signature.parameters.values()]
        if not parameters or parameters[0].kind not in POSITIONAL:
            raise UsageError(f"{function.__qualname__} must take the connection, or session, as its first parameter")
        if is_async:

            @functools.wraps(function)
            async def body(*args: Any, **kwargs: Any) -> Any:
                return await adrive(self._transact(made.__perdure__, partial(with_first, function, args, kwargs)))

        else:

            @functools.wraps(function)
            def body(*args: Any, **kwargs: Any) -> Any:
                return drive(self._transact(made.__perdure__, partial(with_first, function, args, kwargs)))

        body.__signature__ = signature.replace(parameters=parameters[1:])  # type: ignore[attr-defined]  # as inspect reads it
        body.__annotations__ = {key: value for key, value in body.__annotations__.items() if key != parameters[0].name}
        made = wrap(body, "step", **options)
        return made

    def _transact(self, definition: Definition, body: Callable[[Any], Any]) -> Work[Any]:
        """One attempt: recorded in its own commit, or outside any run a plain transaction."""
        here = scope.get()
        call = here.call if isinstance(here, StepScope) and not here.is_taken else None
        try:
            if not isinstance(here, StepScope) or call is None or call.definition is not definition:
                return (yield from within(self._source, partial(plain, body)))
            here.is_taken = True
            return (yield from self._recorded(here, call, body))
        except Exception as error:
            if sqlstate_of(error) in CONFLICTS:
                raise TransactionConflictError(
                    f"the transaction of step {definition.name} met another one, and nothing of it has happened: "
                    f"{type(error).__name__}"
                ) from error
            raise

    def _recorded(self, here: StepScope, call: StepCall, body: Callable[[Any], Any]) -> Work[Any]:
        run = call.run
        runtime = current_runtime()
        worker_id, store = runtime.worker.worker_id, runtime.store
        attempt = Attempt(here, call, body, worker_id, store)
        try:
            if worker_id not in self._is_here:
                self._is_here[worker_id] = yield from within(self._source, attempt.is_here)
            if not self._is_here[worker_id]:
                self._is_laid = self._is_laid or (yield from laid(self._source))
                return (yield from within(self._source, attempt.elsewhere))
            return (yield from within(self._source, attempt.here))
        except (CommitUnknown, AlreadyRecorded) as what:
            is_here = self._is_here[worker_id]
            if is_here:
                found = yield Ask(partial(beside, self._source.is_async, attempt.committed))
            else:
                found = yield from within(self._source, attempt.committed_elsewhere)
            if found is None:
                raise what.__cause__ or what from None
            if is_here:
                run.transacted[call.key] = found
            return found.value


class Attempt:
    """One attempt of one call."""

    def __init__(
        self, scope: StepScope, call: StepCall, body: Callable[[Any], Any], worker_id: str, store: Store
    ) -> None:
        self._scope = scope
        self._call = call
        self._body = body
        self._worker_id = worker_id
        self._store = store
        self._is_async = call.definition.is_async
        self._began_at = time.time()
        self._place = ""

    def is_here(self, opened: Opened) -> Work[bool]:
        """Whether the connection reaches the database of the run. Where it does not show, this worker may have lost its
        row there: taken for another database, it would commit without the fence.
        """
        if not reaches(opened, self._store.tail.kind):
            return False
        yield Ask(partial(opened.begin, is_exclusive=False))
        is_here = yield from asking(opened, self._store.tail.is_here(self._worker_id))
        yield Ask(opened.rollback)
        if is_here:
            return True
        if not (yield Ask(partial(beside, self._is_async, self._has_row))):
            raise self._interrupted()
        return False

    def _has_row(self) -> bool:
        """Whether this worker has one, in the run's own database."""
        trouble = Trouble(f"it is not known whether a transaction of run {self._call.run.run_id} may be fenced")
        rows = until_answered(self._store.workers.all, trouble, self._is_over)
        return any(row.worker_id == self._worker_id for row in rows)

    def _is_over(self) -> bool:
        return self._call.run.interruption is not None

    def _interrupted(self) -> RunInterrupted:
        return RunInterrupted(f"the claim on run {self._call.run.run_id} has ended; another worker may hold it now")

    def here(self, opened: Opened) -> Work[Any]:
        """The body, the checkpoint, one commit."""
        run, tail = self._call.run, self._store.tail
        self._scope.holds_database = tail.is_exclusive
        try:
            yield Ask(partial(opened.begin, is_exclusive=tail.is_exclusive))
            outcome, entry = yield from self._done(opened)
            verdict = yield from asking(opened, tail.record(self._worker_id, entry))
            if verdict == "recorded":
                raise AlreadyRecorded
            if verdict != "made":
                raise self._interrupted()
            yield from commit(opened)
        finally:
            self._scope.holds_database = False
        run.transacted[self._call.key] = outcome
        return outcome.value

    def elsewhere(self, opened: Opened) -> Work[Any]:
        """The body and a row of its own in another database; the checkpoint follows."""
        self._place = yield Ask(partial(beside, self._is_async, self._of_this_life))
        yield Ask(partial(opened.begin, is_exclusive=False))
        known = yield from self._known(opened)
        if known is not None:
            return known.value
        outcome, entry = yield from self._done(opened)
        yield from self._note(opened, entry)
        yield from commit(opened)
        return outcome.value

    def _of_this_life(self) -> str:
        """The step's key, and which run of this id it is, started anew how often: rows there are of all of them."""
        call, run = self._call, self._call.run
        trouble = Trouble(f"it is not known whether a step of run {run.run_id} was committed in another database")
        row = until_answered(lambda: self._store.runs.row(run.run_id), trouble, self._is_over)
        if row is None:
            raise self._interrupted()
        return f"{call.key}@{row.created_at:.6f}/{run.incarnation}"

    def _note(self, opened: Opened, entry: StepRecorded) -> Work[None]:
        try:
            yield from asking(opened, Elsewhere.record(entry.run_id, self._place, entry.name, entry.outcome))
        except Exception as error:
            raise AlreadyRecorded from error

    def _done(self, opened: Opened) -> Work[tuple[Outcome, StepRecorded]]:
        """The body's outcome, and the entry for it. Raises what it raises, and where its result cannot be stored."""
        run, call = self._call.run, self._call
        value = yield from inside(self._body, opened, f"the body of step {call.definition.name}")
        stored, outcome = store_outcome(run, Outcome(value), call.definition.what_it_gives)
        if outcome.error is not None:
            raise outcome.error
        run.check_not_over()
        run.has_only_repeated = False
        entry = StepRecorded(
            run.run_id, run.claim, run.next_entry_id(), call.key, "step", call.definition.name, call.fingerprint, False,
            stored, None, self._scope.attempt, self._began_at, call.preview,
        )  # fmt: skip
        return outcome, entry

    def _known(self, opened: Opened) -> Work[Outcome | None]:
        found = yield from asking(opened, Elsewhere.find(self._call.run.run_id, self._place))
        return None if found is None else Outcome(self._call.run.serializer.load(found))

    def committed_elsewhere(self, opened: Opened) -> Work[Outcome | None]:
        """After a COMMIT of unknown outcome: who inserts the same key waits for it, and so knows."""
        yield Ask(partial(opened.begin, is_exclusive=False))
        try:
            yield from asking(opened, Elsewhere.record(self._call.run.run_id, self._place, "", Stored("", "")))
        except Exception:
            yield Ask(opened.rollback)
            yield Ask(partial(opened.begin, is_exclusive=False))
            return (yield from self._known(opened))
        yield Ask(opened.rollback)
        return None

    def committed(self) -> Outcome | None:
        """After a COMMIT of unknown outcome in this database: what it has recorded, once that is certain."""
        run, key, store = self._call.run, self._call.key, self._store
        trouble = Trouble(f"it is not known whether a transaction of run {run.run_id} was committed")
        if not until_answered(lambda: store.tail.was_recorded(run.run_id, key), trouble, self._is_over):
            return None
        rows = until_answered(lambda: store.runs.checkpoints(run.run_id), trouble, self._is_over)
        [stored] = [row.outcome for row in rows if row.key == key]
        return Outcome(run.serializer.load(stored))


def with_first(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], first: Any) -> Any:
    """The body, with its connection."""
    return function(first, *args, **kwargs)


def plain(body: Callable[[Any], Any], opened: Opened) -> Work[Any]:
    """A transaction outside any run, or inside another step."""
    yield Ask(partial(opened.begin, is_exclusive=False))
    value = yield from inside(body, opened, "the body")
    yield Ask(opened.commit, is_whole=True)
    return value


def inside(body: Callable[[Any], Any], opened: Opened, what: str) -> Work[Any]:
    """What the body gives. Raises `UsageError` where it has ended the transaction: what follows would be another."""
    value = yield Ask(lambda: body(opened.subject))
    if not opened.is_begun():
        raise UsageError(
            f"{what} has ended its transaction, or marked it for rollback: commit and rollback are not its to call "
            "(`with connection:` of sqlite3 does), and what it has committed stays without its outcome"
        )
    return value


def laid(source: Source) -> Work[bool]:
    """Have the table, also where somebody else makes it at this moment: of two, Postgres lets one fail."""
    try:
        yield from within(source, lay)
    except Exception:
        yield from within(source, lay)
    return True


def lay(opened: Opened) -> Work[None]:
    """The table of steps in another database."""
    yield Ask(partial(opened.begin, is_exclusive=False))
    yield from asking(opened, Elsewhere.lay())
    yield Ask(opened.commit, is_whole=True)


def commit(opened: Opened) -> Work[None]:
    """Raises `CommitUnknown` where anything goes wrong: whether it was committed is then to be asked."""
    try:
        yield Ask(opened.commit, is_whole=True)
    except Exception as error:
        raise CommitUnknown from error


def beside(is_async: bool, work: Callable[[], Any]) -> Any:
    """Ask the database on this thread, or beside the event loop."""
    return asyncio.to_thread(work) if is_async else work()


def sqlstate_of(error: BaseException) -> str | None:
    """What the server calls it, through whatever driver."""
    for each in (error, getattr(error, "orig", None), error.__cause__):
        code = getattr(each, "sqlstate", None) or getattr(each, "pgcode", None)
        if isinstance(code, str):
            return code
    return None
