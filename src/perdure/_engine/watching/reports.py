"""How far the bodies of steps have come: what they say is kept in memory, and written once a second at most.

To report is to put a value into an object of one's own, for a loop may do so a million times a second.
"""

from __future__ import annotations

import time
from typing import Final

from ..._core.lineage import StepScope
from ..._core.run import Run
from ..._entries import ProgressMade
from ..journal.journal import Journal
from ..journal.lanes import Lane
from ..news import News

EVERY_SECONDS: Final = 1.0


class Report:
    """What one attempt of a step has said last."""

    __slots__ = ("attempt", "done", "is_new", "key", "name", "note", "run", "total")

    def __init__(self, here: StepScope) -> None:
        self.run = here.run
        self.key = here.key
        self.name = here.call.definition.name if here.call is not None else here.run.name
        self.attempt = here.attempt
        self.done: float = 0
        self.total: float | None = None
        self.note: str | None = None
        self.is_new = False
        """Whether it was said since it was written."""


def report_of(here: StepScope) -> Report:
    """The one of this attempt."""
    if here.report is None:
        here.report = Report(here)
    report: Report = here.report
    return report


class Reports:
    """Those that are to be written. Any thread tells, the poller's writes."""

    def __init__(self, *, journal: Journal, poll_seconds: float, news: News) -> None:
        self._journal = journal
        self._poll_seconds = poll_seconds
        self._news = news
        self._new: dict[int, Report] = {}
        self._written_at = 0.0

    def tell(self, report: Report) -> None:
        """It says something that is not written yet."""
        report.is_new = True
        self._new[id(report)] = report
        left = EVERY_SECONDS - (time.monotonic() - self._written_at)
        if left <= 0:
            self._news.look()  # the first in a while is seen at once
        elif self._poll_seconds > EVERY_SECONDS:
            self._news.look_at(time.time() + left)

    def write(self) -> None:
        """Hand in what is new, unless that was done less than a second ago. What cannot be written is of a run that is
        not ours any more.
        """
        now = time.monotonic()
        if not self._new or now - self._written_at < EVERY_SECONDS:
            return
        self._written_at = now
        lane = Lane()
        for place in list(self._new):
            report = self._new.pop(place)
            report.is_new = False  # before it is read: what comes now is written the next time
            if report.run.interruption is None:
                self._journal.append(lane, entry_of(report), leads=True)
        self._journal.call_writer()


def entry_of(report: Report) -> ProgressMade:
    """What is to be written."""
    run: Run = report.run
    return ProgressMade(
        run.run_id, run.claim, report.key, report.name, report.attempt, report.done, report.total, report.note
    )
