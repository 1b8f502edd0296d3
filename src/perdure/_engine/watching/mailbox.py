"""The mailbox: what runs were told, by whomever, reaches those that this process holds (rule 13 of the protocol).

The database keeps a row until it was heard. A cancel is heard when the run has ended, and a pause when it has stopped,
so they are told again with every look until then; everything else when the run that holds it is here to be told.
"""

from __future__ import annotations

from ...stores.protocol import Store
from ..cancels import Cancels
from ..claiming.held_runs import Held
from ..membership.worker import Worker
from ..news import News
from ..told import Told
from .arrivals import Arrivals


class Mailbox:
    """Read by the poller's thread."""

    def __init__(
        self,
        *,
        store: Store,
        worker: Worker,
        held: Held,
        told: Told,
        cancels: Cancels,
        arrivals: Arrivals,
        news: News,
    ) -> None:
        self._store = store
        self._worker = worker
        self._held = held
        self._told = told
        self._cancels = cancels
        self._arrivals = arrivals
        self._news = news

    def read(self) -> None:
        """Look, and tell the runs that are here."""
        heard: list[int] = []
        while True:
            mail = self._store.hear(self._worker.worker_id, heard)
            heard = []
            for one in mail.told:
                if one.is_cancelled:
                    self._told.cancelled([one.run_id])
                elif one.is_paused:
                    self._told.paused([one.run_id])
                elif self._held.is_known(one.run_id):
                    self._arrivals.tell(one.run_id)
                    heard.append(one.seq)
            if mail.has_cancelled:
                self._cancels.sweep()
            if mail.has_read:
                self._news.backlog()
            if not heard:
                return
