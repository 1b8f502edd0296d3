"""`schedules`: look at schedules and steer them, in the launched process or through a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack

from .._core.flows.child import check_created
from .._core.given import flag, text_name, whole_number
from .._core.lineage import Branch, scope
from .._engine.schedules import coming_after, rule_of, run_of
from ..errors import ScheduleNotFoundError, StoreUnavailableError, UsageError
from ..stores.protocol import ScheduleRow
from .app import current_runtime
from .handle import Handle
from .overview import names_known
from .schedule_edits import edited
from .schedule_options import ScheduleOptions, schedule_name
from .shown_runs import Affected, moment
from .shown_schedules import ScheduleSummary, schedule_summary
from .wanted_runs import moment_of

if TYPE_CHECKING:
    from .._engine.door import Door

P = ParamSpec("P")
R = TypeVar("R")

MOST_BACKFILLED = 10_000
MOST_SHOWN = 1_000
_TRIES = 20


class Schedules:
    """Looks at schedules and steers them; `perdure.schedules` is the one of the launched process, `client.schedules`
    that of a client.

    Each method has a twin for event loops, with an `a` in front of its name. In a workflow they are refused, since the
    answers would be others at a replay: ask in a step. Where there is no schedule of a name, they raise
    `ScheduleNotFoundError`.
    """

    def __init__(self, door: Callable[[], Door]) -> None:
        self._door = door

    def list(self) -> Sequence[ScheduleSummary]:
        """All schedules of the database, by name."""
        store = self._asked("list").store
        names = names_known(store)
        return [schedule_summary(row, names) for row in store.schedules.all()]

    async def alist(self) -> Sequence[ScheduleSummary]:
        """`list` from an event loop."""
        return await self._elsewhere("list", self.list)

    def get(self, name: str) -> ScheduleSummary:
        """One of them."""
        store = self._asked("get").store
        return schedule_summary(self._row(name), names_known(store))

    async def aget(self, name: str) -> ScheduleSummary:
        """`get` from an event loop."""
        return await self._elsewhere("get", self.get, name)

    def instants(self, name: str, *, count: int = 5) -> Sequence[datetime]:
        """The next instants of a schedule (up to 1,000), after now by the database's clock. A jitter is not in them,
        and a paused schedule has them all the same.
        """
        door = self._asked("instants")
        most = whole_number(count, "count", most=MOST_SHOWN)
        row = self._row(name)
        return [moment(at) for at in islice(rule_of(row).walk(door.store.schedules.now()), most)]

    async def ainstants(self, name: str, *, count: int = 5) -> Sequence[datetime]:
        """`instants` from an event loop."""
        return await self._elsewhere("instants", self.instants, name, count=count)

    def set(
        self, name: str, function: Callable[..., Any] | str | None = None, /, **options: Unpack[ScheduleOptions]
    ) -> ScheduleSummary:
        """Make a schedule, or change what is given of one. `function` is a workflow or step, or its name where this
        process does not have it; a new schedule needs it. Options as of `@schedule`; the cron line is `cron=`.

        It comes next after now; where only other things change than when it comes, what it has missed stays missed. A
        schedule that the program declares keeps what is set here until the declaration says something else.
        """
        self._asked("set")
        given = schedule_name(name)

        def edit(row: ScheduleRow | None, door: Door) -> ScheduleRow:
            made = edited(given, row, function, options, door.serializer)
            if row is not None and rule_of(row) == rule_of(made):
                return made
            return coming_after(made, door.store.schedules.now())

        return self._edit(given, edit)

    async def aset(
        self, name: str, function: Callable[..., Any] | str | None = None, /, **options: Unpack[ScheduleOptions]
    ) -> ScheduleSummary:
        """`set` from an event loop."""
        return await self._elsewhere("set", self.set, name, function, **options)

    def pause(self, name: str) -> ScheduleSummary:
        """Let it start nothing until it is resumed. Runs that it has started go on. Idempotent."""
        self._asked("pause")
        return self._edit(name, partial(_paused, name))

    async def apause(self, name: str) -> ScheduleSummary:
        """`pause` from an event loop."""
        return await self._elsewhere("pause", self.pause, name)

    def resume(self, name: str) -> ScheduleSummary:
        """Let it go on, with the next instant from now: what came during the pause is left out; `backfill` makes up
        for it. Idempotent.
        """
        self._asked("resume")
        return self._edit(name, partial(_resumed, name))

    async def aresume(self, name: str) -> ScheduleSummary:
        """`resume` from an event loop."""
        return await self._elsewhere("resume", self.resume, name)

    def delete(self, name: str) -> None:
        """Remove it; runs that it has started go on. One that the program declares comes back with the next launch:
        take it out of the program, or pause it.
        """
        door = self._asked("delete")
        if not door.store.schedules.delete(text_name(name, "name")):
            raise _missing(name)

    async def adelete(self, name: str) -> None:
        """`delete` from an event loop."""
        await self._elsewhere("delete", self.delete, name)

    def trigger(self, name: str) -> Handle[Any]:
        """Start a run of it now, whatever it does otherwise: also while it is paused or its last run has not ended.
        Its instant is the moment of the call.
        """
        door = self._asked("trigger")
        entry = run_of(self._row(name), round(door.store.schedules.now(), 6))
        [verdict] = door.make([entry])
        check_created(entry, verdict)
        return Handle(door, entry.run_id)

    async def atrigger(self, name: str) -> Handle[Any]:
        """`trigger` from an event loop."""
        return await self._elsewhere("trigger", self.trigger, name)

    def backfill(
        self,
        name: str,
        *,
        since: datetime | timedelta,
        until: datetime | timedelta = timedelta(),
        limit: int = 1_000,
        dry_run: bool = False,
    ) -> Affected:
        """Start a run for every instant from `since` to before `until` (times with a zone, or a `timedelta` for so long
        ago) for which there is none. All of them at once: its queue's limits are what spreads them. With `dry_run`
        nothing is started; the answer has the ids of the instants' runs. More than `limit` (up to 10,000) are refused.
        """
        door = self._asked("backfill")
        most, dry_run = whole_number(limit, "limit", most=MOST_BACKFILLED), flag(dry_run, "dry_run")
        row = self._row(name)
        first, end = moment_of(since, "since"), moment_of(until, "until")
        if first is None or end is None or first >= end:
            raise UsageError(f"backfill: since={since!r} is not before until={until!r}")
        instants = list(islice(takewhile(lambda at: at < end, rule_of(row).walk(first - 0.001)), most + 1))
        if len(instants) > most:
            raise UsageError(
                f"backfill: {name} comes more than {most} times in that span: give a shorter one, or a greater limit="
            )
        entries = [run_of(row, instant) for instant in instants]
        if not dry_run:
            for entry, verdict in zip(entries, door.make(entries), strict=True):
                check_created(entry, verdict)
        return Affected(count=len(entries), run_ids=[entry.run_id for entry in entries], dry_run=dry_run)

    async def abackfill(
        self,
        name: str,
        *,
        since: datetime | timedelta,
        until: datetime | timedelta = timedelta(),
        limit: int = 1_000,
        dry_run: bool = False,
    ) -> Affected:
        """`backfill` from an event loop."""
        return await self._elsewhere(
            "backfill", self.backfill, name, since=since, until=until, limit=limit, dry_run=dry_run
        )

    def _edit(self, name: str, edit: Callable[[ScheduleRow | None, Door], ScheduleRow]) -> ScheduleSummary:
        """What was read is written where nobody has changed it since; else it is read again."""
        door = self._door()
        schedules = door.store.schedules
        for _ in range(_TRIES):
            row = schedules.get(text_name(name, "name"))
            made = edit(row, door)
            if made is row or schedules.write(made):
                return self.get(name)
        raise StoreUnavailableError(f"others change the schedule {name}, again and again: nothing was changed here")

    def _row(self, name: str) -> ScheduleRow:
        return _there(name, self._door().store.schedules.get(text_name(name, "name")))

    def _asked(self, what: str) -> Door:
        self._check(what)
        return self._door()

    async def _elsewhere(self, what: str, call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        self._check(what)
        return await asyncio.to_thread(call, *args, **kwargs)

    @staticmethod
    def _check(what: str) -> None:
        if type(scope.get()) is Branch:
            raise UsageError(
                f"schedules.{what}() in a workflow would be answered otherwise at a replay: ask in a step, whose "
                "outcome is recorded"
            )


def _paused(name: str, row: ScheduleRow | None, door: Door) -> ScheduleRow:
    row = _there(name, row)
    return row if row.paused_at is not None else replace(row, paused_at=door.store.schedules.now())


def _resumed(name: str, row: ScheduleRow | None, door: Door) -> ScheduleRow:
    row = _there(name, row)
    return row if row.paused_at is None else coming_after(replace(row, paused_at=None), door.store.schedules.now())


def _there(name: str, row: ScheduleRow | None) -> ScheduleRow:
    if row is None:
        raise _missing(name)
    return row


def _missing(name: str) -> ScheduleNotFoundError:
    return ScheduleNotFoundError(
        f"there is no schedule {name!r} in this database: schedules.list(), and `perdure schedules list`, have all"
    )


schedules = Schedules(current_runtime)
"""Those of the instance that a durable call made here belongs to."""
