"""What depends on the functions that are loaded: runs that wait for a mend, and runs that nobody here knows."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..._core.definitions import Definitions
from ...stores.protocol import Store
from ..membership.worker import Worker
from ..news import News

log = logging.getLogger("perdure")


class Mending:
    """Three duties."""

    def __init__(
        self, *, store: Store, definitions: Definitions, worker: Worker, queues: Callable[[], list[str]], news: News
    ) -> None:
        self._store = store
        self._worker = worker
        self._definitions = definitions
        self._queues = queues
        self._news = news
        self._mended = 0
        self._explained = 0

    def mend(self) -> None:
        """Where functions were defined since, give runs that wait for a mend another chance."""
        revision = self._definitions.revision
        if revision == self._mended:
            return
        mended = self._store.mending.mend(self._definitions.names())
        self._mended = revision
        if mended:
            log.info("%d runs that waited for a mend are tried again", len(mended))
            self._news.backlog()

    def reconsider(self) -> None:
        """Look again at what some version of the code has refused: it may be for this one, or for nobody any more."""
        if self._store.mending.reconsider(self._worker.worker_id, self._queues(), self._definitions.names()):
            self._news.backlog()

    def is_to_explain(self) -> bool:
        """Whether functions were defined since it was said which are missing."""
        return self._definitions.revision != self._explained

    def explain(self) -> None:
        """Say at runs of queues of this worker whose functions it does not know why they wait."""
        self._explained = self._definitions.revision
        self._store.mending.explain_unknown(
            self._queues(),
            self._definitions.names(),
            "no process that works on this queue knows this function: start one that imports its module",
        )
