"""Retention: runs that ended long ago, or beyond a number, are removed with all that they have made.

Any worker does it, for the functions that it knows, by its own settings. A portion is one transaction behind the fence,
and a round spends a fixed time. It looks in the order in which runs were made, from where it stopped.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from ..._core.definitions import Definitions
from ..._core.flows.undo import UNDOER
from ..._core.kept import Kept
from ...stores.protocol import Expiry, Fenced, Store
from ..journal.journal import Journal
from ..membership.worker import Worker
from ..news import News
from ..options import Options
from .archive import Archive

log = logging.getLogger("perdure")

ROUND_SECONDS: Final = 0.1
"""So long a round removes runs: what else the poll does waits for it."""


class Retention:
    """One duty, as often as it finds something."""

    def __init__(
        self, store: Store, definitions: Definitions, options: Options, journal: Journal, worker: Worker, news: News
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._journal = journal
        self._worker = worker
        self._news = news
        self._default = Kept(options.keep_for, options.keep_runs)
        self._folder = options.archive
        self._left: list[Expiry] = []
        """What is still to be looked at."""

    @property
    def is_called(self) -> bool:
        """Whether the last round has left something."""
        return bool(self._left)

    def remove(self) -> None:
        """Remove what has expired, for a tenth of a second; the next round goes on."""
        self._left = self._left or self._expiries()
        if not self._left:
            return
        worker_id = self._worker.worker_id
        archive = None if self._folder is None else Archive(self._folder, worker_id).write
        deadline = time.monotonic() + ROUND_SECONDS
        removed = 0
        try:
            while self._left and time.monotonic() < deadline:
                expiry = self._left[0]
                with self._journal.turn():
                    done = self._store.keeper.remove(worker_id, expiry, archive)
                removed += done.runs
                self._left[:1] = [] if done.after is None else [expiry._replace(after=done.after)]
        except Fenced:
            self._news.right_lost(worker_id)
        if removed:
            log.info("%d runs that had ended were removed", removed)

    def _expiries(self) -> list[Expiry]:
        found = []
        for definition in self._definitions:
            kept = definition.kept.over(self._default)
            if definition.name == UNDOER or kept.is_all:  # who undoes a run goes with it
                continue
            below = None if kept.runs is None else self._store.keeper.newest_kept(definition.name, kept.runs)
            if kept.seconds is not None or below is not None:
                found.append(Expiry(definition.name, keep_seconds=kept.seconds, below=below))
        return found
