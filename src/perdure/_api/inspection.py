"""`runs`: find runs, look at one, and end many, in the launched process or through a client."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from .._core.absent import no_run
from .._core.given import text_name, whole_number
from .._core.lineage import Branch, scope
from ..errors import HookNotFoundError, UsageError
from ..stores.finding import Wanted
from ..typing import RunId
from .app import current_runtime
from .explaining import Explanation, explain
from .paused_functions import FunctionPauses
from .shown_runs import (
    HookSummary,
    RunDetails,
    RunPage,
    StepProgress,
    details_of,
    errors_of,
    hook_summary,
    progress_of,
    summary_of,
)
from .steering import Steering
from .wanted_runs import RunFilter, wanted_of

if TYPE_CHECKING:
    from .._engine.door import Door

MOST_LISTED = 1_000
MOST_RECORDS = 10_000


class Runs(Steering, FunctionPauses):
    """Finds runs and steers them; `perdure.runs` is the one of the launched process, `client.runs` that of a client.

    In a workflow `list` and `get` are refused, since the answers would be others at a replay: ask in a step. What
    steers runs is recorded there, as a step's outcome is.
    """

    def list(self, *, limit: int = 50, cursor: str | None = None, **wanted: Unpack[RunFilter]) -> RunPage:
        """The newest runs of which all of this is so, at most `limit` (up to 1,000), after those of the page whose
        `cursor` is given:

        `status` is this one, or one of several; `workflow`, a function or its name; `queue`, or its name (empty: the
        runs that were started, not submitted); `since` and `until`, when it was made: times with a zone, or a
        `timedelta` for so long ago; `parent`, a handle or an id; `id_prefix`, with which its id begins; `attributes`,
        that it has all of them; `text`, which stands in its id, name or reason, or in the first 10,000 characters of
        its arguments or outcome, whatever the case of its letters from a to z.

        A page costs the same however many runs there are: it looks at 5,000 at most, at 250 that an index has
        found, or with `text` at 150, so it may be empty and have a cursor. Raises `UsageError` for a filter that cannot
        be.
        """
        sought, most = wanted_of(wanted), whole_number(limit, "limit", most=MOST_LISTED)
        page = self._asked("list").store.finder.page(sought, most, checked_cursor(cursor, sought))
        return RunPage([summary_of(found) for found in page.runs], page.cursor)

    async def alist(self, *, limit: int = 50, cursor: str | None = None, **wanted: Unpack[RunFilter]) -> RunPage:
        """`list` from an event loop, which goes on meanwhile."""
        self._check("list")
        return await asyncio.to_thread(self.list, limit=limit, cursor=cursor, **wanted)

    def get(self, run_id: RunId, *, limit: int = 1_000) -> RunDetails:
        """The run with its steps and their earlier attempts, its children, what it was told and what it waits for, and
        who has steered it; of steps and children at most `limit` each (up to 10,000). Raises `RunNotFoundError`.
        """
        text_name(run_id, "run_id")
        most = whole_number(limit, "limit", most=MOST_RECORDS)
        door = self._asked("get")
        record = door.store.finder.record(run_id, most)
        if record is None:
            raise no_run(run_id)
        return details_of(record, door.serializer, door.store.steering.audited(run_id, most))

    async def aget(self, run_id: RunId, *, limit: int = 1_000) -> RunDetails:
        """`get` from an event loop, which goes on meanwhile."""
        self._check("get")
        return await asyncio.to_thread(self.get, run_id, limit=limit)

    def errors(self, *run_ids: RunId) -> Mapping[RunId, str]:
        """What those of these runs have failed with that have: the error's type and message, as in `get`. One question
        for all of them.
        """
        wanted = [text_name(run_id, "run_id") for run_id in run_ids]
        door = self._asked("errors")
        return errors_of(door.store.runs.ended(wanted) if wanted else (), door.serializer)

    async def aerrors(self, *run_ids: RunId) -> Mapping[RunId, str]:
        """`errors` from an event loop, which goes on meanwhile."""
        self._check("errors")
        return await asyncio.to_thread(self.errors, *run_ids)

    def progress(self, *run_ids: RunId) -> Sequence[StepProgress]:
        """How far the steps of these runs have come that are being executed, as far as their bodies say so by
        `perdure.progress`; at most a second old. Of ended runs, and such as do not exist, nothing.
        """
        wanted = [text_name(run_id, "run_id") for run_id in run_ids]
        return [progress_of(row) for row in self._asked("progress").store.finder.progress(wanted)]

    async def aprogress(self, *run_ids: RunId) -> Sequence[StepProgress]:
        """`progress` from an event loop, which goes on meanwhile."""
        self._check("progress")
        return await asyncio.to_thread(self.progress, *run_ids)

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

    async def ahook(self, token: str) -> HookSummary:
        """`hook` from an event loop, which goes on meanwhile."""
        self._check("hook")
        return await asyncio.to_thread(self.hook, token)

    def hooks(self, *, limit: int = 1_000) -> Sequence[HookSummary]:
        """The hooks that wait for an answer, the oldest first, at most `limit` (up to 10,000); those of one run are
        with `get`. Their tokens are secrets: who knows one can answer.
        """
        most = whole_number(limit, "limit", most=MOST_RECORDS)
        return [hook_summary(row) for row in self._asked("hooks").store.finder.hooks(most)]

    async def ahooks(self, *, limit: int = 1_000) -> Sequence[HookSummary]:
        """`hooks` from an event loop, which goes on meanwhile."""
        self._check("hooks")
        return await asyncio.to_thread(self.hooks, limit=limit)

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


runs = Runs(current_runtime)
"""Those of the instance that a durable call made here belongs to."""
