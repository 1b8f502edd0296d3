"""Schedules: what the program declares is put into the database, and what is due is started.

Any worker does it, of whatever functions it knows: there is no leader. Each firing is one transaction, which changes
nothing where another worker was faster (rule 18). The pulse tells when one is due, so that an idle worker asks nothing.
"""

from __future__ import annotations

import logging

from ..._core.definitions import Definitions
from ..._core.scheduled import Standing, outcome_of
from ..._core.serialization import Serializer
from ...errors import UsageError
from ...stores.protocol import DueSchedule, Fenced, Firing, Store
from ..journal.journal import Journal
from ..membership.worker import Worker
from ..news import News
from ..schedules import declared_over, row_of, rule_of, run_of

log = logging.getLogger("perdure")

MOST_AT_ONCE = 100
"""So many schedules are looked at in one round."""
_TRIES = 10


class Scheduling:
    """Two duties."""

    def __init__(
        self,
        *,
        store: Store,
        definitions: Definitions,
        serializer: Serializer,
        journal: Journal,
        worker: Worker,
        news: News,
    ) -> None:
        self._store = store
        self._journal = journal
        self._definitions = definitions
        self._serializer = serializer
        self._worker = worker
        self._news = news
        self._declared = 0
        self._complained: set[str] = set()
        self.is_called = False
        """Whether the time of one has come."""

    def call(self) -> None:
        """The time of one has come."""
        self.is_called = True

    def declare(self) -> None:
        """Where functions or schedules were defined since, put what the program says into the database."""
        revision = self._definitions.revision
        if revision == self._declared:
            return
        declarations = self._definitions.schedules()
        if declarations:
            said = [row_of(declaration, self._serializer) for declaration in declarations]
            for _ in range(_TRIES):
                known = {row.name: row for row in self._store.schedules.all()}
                now = self._store.schedules.now()
                wanted = [declared_over(known.get(row.name), row, now) for row in said]
                missed = [row for row in wanted if row is not None and not self._store.schedules.write(row)]
                if not missed:  # else somebody else has written it meanwhile
                    break
        self._declared = revision

    def fire(self) -> None:
        """Start what is due."""
        self.is_called = False
        due = self._store.schedules.due(MOST_AT_ONCE)
        for one in due:
            self._fire(one)
        self.is_called = self.is_called or len(due) == MOST_AT_ONCE

    def _fire(self, due: DueSchedule) -> None:
        try:
            firing = firing_of(due)
        except UsageError as error:  # a zone that this machine does not have: another one may
            if due.row.name not in self._complained:
                self._complained.add(due.row.name)
                log.error("schedule %s cannot be started here: %s", due.row.name, error)  # noqa: TRY400
            return
        if firing is None:
            return
        worker_id = self._worker.worker_id
        try:
            with self._journal.turn():  # a batch of an event loop may be under way on its connection
                is_done = self._store.schedules.fire(worker_id, firing)
        except Fenced:
            self._news.right_lost(worker_id)
            return
        if not is_done:
            return
        if firing.skipped_at is not None:
            log.info("schedule %s: an instant is left out, since its last run has not ended", due.row.name)
        if firing.runs or firing.cancels:
            self._news.backlog()
            self._worker.line.say([due.row.queue], is_vague=firing.cancels is not None)


def firing_of(due: DueSchedule) -> Firing | None:
    """What becomes of a schedule that is due; None: nothing yet."""
    row = due.row
    if row.next_instant is None:
        return None
    rule = rule_of(row)
    outcome = outcome_of(
        Standing(
            name=row.name,
            rule=rule,
            overlap=row.overlap,
            catch_up=row.catch_up,
            next_instant=row.next_instant,
            last_run_id=row.last_run_id,
            is_running=due.is_running,
        ),
        due.now,
    )
    if outcome is None:
        return None
    following = outcome.next_instant
    return Firing(
        name=row.name,
        version=row.version,
        runs=[run_of(row, instant) for instant in outcome.instants],
        cancels=outcome.cancels,
        last_instant=outcome.instants[-1] if outcome.instants else None,
        skipped_at=outcome.skipped,
        next_instant=following,
        next_at=None if following is None else rule.starts_at(row.name, following),
    )
