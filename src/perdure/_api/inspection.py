"""`runs`: find runs, look at one, and end many, in the launched process or through a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack, cast, overload

from .._core.given import text_name, whole_number
from .._core.lineage import Branch, scope
from ..errors import HookNotFoundError, RunNotFoundError, UsageError
from ..stores.finding import Wanted
from ..typing import RunId
from .app import current_runtime
from .explaining import Explanation, explain
from .handle import Handle
from .shown_runs import (
    Affected,
    HookSummary,
    RunDetails,
    RunPage,
    StepProgress,
    details_of,
    hook_summary,
    progress_of,
    summary_of,
)
from .wanted_runs import UNFINISHED, RunFilter, wanted_of

if TYPE_CHECKING:
    from .._engine.door import Door

MOST_LISTED = 1_000
MOST_RECORDS = 10_000
TOGETHER = 1_000
"""So many runs are ended by one transaction."""


class Runs:
    """Finds runs; `perdure.runs` is the one of the launched process, `client.runs` that of a client.

    In a workflow these questions are refused, but for `cancel` of one run: the answers would be others at a replay.
    Ask in a step.
    """

    def __init__(self, door: Callable[[], Door]) -> None:
        self._door = door

    def list(self, *, limit: int = 50, cursor: str | None = None, **wanted: Unpack[RunFilter]) -> RunPage:
        """The newest runs of which all of this is so, at most `limit` (up to 1,000), after those of the page whose
        `cursor` is given:

        `status` is this one, or one of several; `workflow`, a function or its name; `queue`, or its name (empty: the
        runs that were started, not submitted); `since` and `until`, when it was made: times with a zone, or a
        `timedelta` for so long ago; `parent`, a handle or an id; `id_prefix`, with which its id begins; `attributes`,
        that it has all of them; `text`, which stands in its id, name or reason, or in the first 10,000 characters of
        its arguments or outcome, whatever the case of its letters from a to z.

        A page costs the same however many runs there are: it looks at 50,000 at most, or at 5,000 that an index has
        found, or with `text`, so it may be empty and have a cursor. Raises `UsageError` for a filter that cannot be.
        """
        sought, most = wanted_of(wanted), whole_number(limit, "limit", most=MOST_LISTED)
        page = self._asked("list").store.finder.page(sought, most, checked_cursor(cursor, sought))
        return RunPage([summary_of(found) for found in page.runs], page.cursor)

    async def alist(self, *, limit: int = 50, cursor: str | None = None, **wanted: Unpack[RunFilter]) -> RunPage:
        """`list` from an event loop, which goes on meanwhile."""
        self._check("list")
        return await asyncio.to_thread(self.list, limit=limit, cursor=cursor, **wanted)

    def get(self, run_id: RunId, *, limit: int = 1_000) -> RunDetails:
        """The run with its steps and their earlier attempts, its children, what it was told and what it waits for; of
        steps and children at most `limit` each (up to 10,000). Raises `RunNotFoundError`.
        """
        text_name(run_id, "run_id")
        most = whole_number(limit, "limit", most=MOST_RECORDS)
        door = self._asked("get")
        record = door.store.finder.record(run_id, most)
        if record is None:
            raise RunNotFoundError(f"there is no run {run_id} in this database", run_id=run_id)
        return details_of(record, door.serializer)

    async def aget(self, run_id: RunId, *, limit: int = 1_000) -> RunDetails:
        """`get` from an event loop, which goes on meanwhile."""
        self._check("get")
        return await asyncio.to_thread(self.get, run_id, limit=limit)

    def progress(self, *run_ids: RunId) -> Sequence[StepProgress]:
        """How far the steps of these runs have come that are being executed, as far as their bodies say so by
        `perdure.progress`; at most a second old. Of ended runs, and such as do not exist, nothing.
        """
        wanted = [text_name(run_id, "run_id") for run_id in run_ids]
        return [progress_of(row) for row in self._asked("progress").store.finder.progress(wanted)]

    def explain(self, run_id: RunId) -> Explanation:
        """In words, why the run stands where it does; see `Handle.explain`. Raises `RunNotFoundError`."""
        return explain(self._asked("explain"), text_name(run_id, "run_id"))

    async def aexplain(self, run_id: RunId) -> Explanation:
        """`explain` from an event loop, which goes on meanwhile."""
        self._check("explain")
        return await asyncio.to_thread(self.explain, run_id)

    def hook(self, token: str) -> HookSummary:
        """The hook that has this token. Raises `HookNotFoundError`."""
        row = self._asked("hook").store.finder.hook(text_name(token, "token"))
        if row is None:
            raise HookNotFoundError(f"there is no hook {token!r} in this database", token=token)
        return hook_summary(row)

    def hooks(self, *, limit: int = 1_000) -> Sequence[HookSummary]:
        """The hooks that wait for an answer, the oldest first, at most `limit` (up to 10,000); those of one run are
        with `get`. Their tokens are secrets: who knows one can answer.
        """
        most = whole_number(limit, "limit", most=MOST_RECORDS)
        return [hook_summary(row) for row in self._asked("hooks").store.finder.hooks(most)]

    @overload
    def cancel(self, run_id: RunId, /) -> bool: ...
    @overload
    def cancel(self, *, dry_run: bool = False, **wanted: Unpack[RunFilter]) -> Affected: ...
    def cancel(self, run_id: RunId | None = None, /, *, dry_run: bool = False, **wanted: Any) -> Any:  # type: ignore[misc]  # mypy and Unpack
        """End a run and its children, wherever they are: by its id, as `Handle.cancel` does, or every unfinished run
        that a filter finds (see `list`); with `dry_run` it says which these would be, and ends none.

        By id: False where it had ended already; raises `RunNotFoundError`. By filter: at least one part of it must be
        given, `UsageError` else; a thousand runs share a transaction, so an interruption leaves the rest as it was, and
        the same call goes on with it.
        """
        if run_id is not None:
            if dry_run or wanted:
                raise UsageError("runs.cancel() takes an id, or a filter with or without dry_run, not both")
            return self._cancel_one(text_name(run_id, "run_id"))
        return self._cancel_found(cast("RunFilter", wanted), dry_run=dry_run)

    @overload
    async def acancel(self, run_id: RunId, /) -> bool: ...
    @overload
    async def acancel(self, *, dry_run: bool = False, **wanted: Unpack[RunFilter]) -> Affected: ...
    async def acancel(self, run_id: RunId | None = None, /, *, dry_run: bool = False, **wanted: Any) -> Any:  # type: ignore[misc]  # mypy and Unpack
        """`cancel` from an event loop, which goes on meanwhile."""
        if run_id is not None and not dry_run and not wanted:
            return await Handle[object](self._door(), text_name(run_id, "run_id")).acancel()
        self._check("cancel")
        if run_id is not None:
            raise UsageError("runs.acancel() takes an id, or a filter with or without dry_run, not both")
        return await asyncio.to_thread(self._cancel_found, cast("RunFilter", wanted), dry_run=dry_run)

    def _cancel_found(self, wanted: RunFilter, *, dry_run: bool) -> Affected:
        sought = unfinished(wanted_of(wanted))
        door = self._asked("cancel")
        count, first = 0, list[RunId]()
        for ids in pages_of_ids(door, sought):
            affected: Sequence[RunId] = ids if dry_run else door.claims.cancel_many(ids)
            count += len(affected)
            first += affected[: TOGETHER - len(first)]
        return Affected(count=count, run_ids=first, dry_run=dry_run)

    def _cancel_one(self, run_id: RunId) -> bool:
        door = self._door()
        if type(scope.get()) is not Branch and door.store.run(run_id) is None:
            raise RunNotFoundError(f"there is no run {run_id} in this database", run_id=run_id)
        return Handle[object](door, run_id).cancel()

    def _asked(self, what: str) -> Door:
        self._check(what)
        return self._door()

    @staticmethod
    def _check(what: str) -> None:
        if type(scope.get()) is Branch:
            raise UsageError(
                f"runs.{what}() in a workflow would be answered otherwise at a replay: ask in a step, whose outcome is "
                "recorded"
            )


def checked_cursor(cursor: str | None, wanted: Wanted) -> str | None:
    """A cursor of this kind of page. Raises `UsageError` for what is none."""
    if cursor is None:
        return None
    is_one = isinstance(cursor, str) and cursor and (wanted.by == "id" or (cursor.isdecimal() and cursor.isascii()))
    if not is_one or len(cursor) > MOST_LISTED or (wanted.by != "id" and len(cursor) > 18):
        raise UsageError(f"cursor={cursor!r}: give the cursor of the page before, of the same filter")
    return cursor


def unfinished(wanted: Wanted) -> Wanted:
    """Those among the wanted that have not ended. Raises `UsageError` where nothing at all is said."""
    if wanted == Wanted():
        raise UsageError("runs.cancel() ends every run that the filter finds: give one, or the id of a run")
    states = UNFINISHED if wanted.states is None else tuple(state for state in wanted.states if state in UNFINISHED)
    return replace(wanted, states=states)


def pages_of_ids(door: Door, wanted: Wanted) -> Iterator[Sequence[RunId]]:
    """All that are found, in pages."""
    if not wanted.states:
        return
    cursor: str | None = None
    while True:
        page = door.store.finder.page(wanted, TOGETHER, cursor)
        if page.runs:
            yield [run.run_id for run in page.runs]
        if page.cursor is None:
            return
        cursor = page.cursor


runs = Runs(current_runtime)
"""Those of the instance that a durable call made here belongs to."""
