"""The mailbox: what runs were told, by whomever, reaches those that this process holds (rule 13 of the protocol).

The database keeps a row until it was heard. A cancel is heard when the run has ended, and a pause when it has stopped,
so they are told again with every look until then; everything else when the run that holds it is here to be told.
"""

from __future__ import annotations

from ...stores.protocol import Store
from ..claiming.claims import Claims
from ..claiming.held_runs import Held
from ..membership.worker import Worker
from ..news import News
from .arrivals import Arrivals


class Mailbox:
    """Read by the poller's thread."""

    def __init__(
        self, *, store: Store, worker: Worker, held: Held, claims: Claims, arrivals: Arrivals, news: News
    ) -> None:
        self._store = store
        self._worker = worker
        self._held = held
        self._claims = claims
        self._arrivals = arrivals
        self._news = news

    def read(self) -> None:
        """Look, and tell the runs that are here."""
        heard: list[int] = []
        while True:
            mail = self._store.hear(self._worker.worker_id, heard)
            heard = []
            for told in mail.told:
                if told.is_cancelled:
                    self._claims.cancel_here(told.run_id)
                elif told.is_paused:
                    self._claims.pause_here(told.run_id)
                elif self._held.is_known(told.run_id):
                    self._arrivals.tell(told.run_id)
                    heard.append(told.seq)
            if mail.has_cancelled:
                self._claims.sweep_cancelled()
            if mail.has_read:
                self._news.backlog()
            if not heard:
                return
