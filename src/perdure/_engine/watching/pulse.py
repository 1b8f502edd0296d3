"""The pulse: one statement with what a worker must know of the database in every round.

Whether the mailbox has something, runs that other processes made ready, the next due time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ..._core.definitions import Definitions
from ...stores.protocol import NothingDone, Store
from ..claiming.held_runs import Held
from ..claiming.room import Room
from ..membership.worker import Worker
from ..news import News
from .mailbox import Mailbox


class Pulse:
    """One duty. `answer` tells whoever asks runs something, `let_waiting_leave` parks what waits where runs are to be
    claimed alone, `expire` ends what should be over.
    """

    def __init__(
        self,
        *,
        store: Store,
        definitions: Definitions,
        worker: Worker,
        room: Room,
        mailbox: Mailbox,
        answer: Callable[[], None],
        let_waiting_leave: Callable[[], None],
        expire: Callable[[], None],
        held: Held,
        news: News,
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._worker = worker
        self._room = room
        self._mailbox = mailbox
        self._answer = answer
        self._let_waiting_leave = let_waiting_leave
        self._expire = expire
        self._held = held
        self._news = news

    def feel(self) -> None:
        """Ask, and tell whom it concerns."""
        asked_at = time.monotonic()
        floors, queues = self._room.floors_of_all(asked_at), self._room.queues()
        try:
            pulse = self._store.pulse(self._worker.worker_id, queues, self._definitions.names(), floors)
        except NothingDone:
            self._room.note_vain(queues, asked_at)
            raise
        if pulse.has_overdue:
            self._expire()
        if became_shared := self._room.learn(pulse.limits, pulse.paused):
            for run in list(self._held.active.values()):
                if run.queue in became_shared:
                    self._room.give_waiting(run)
        if pulse.has_mail:
            self._mailbox.read()
        if pulse.has_claimable:
            self._room.expect_backlog(floors)
        else:
            self._room.note_looked_back(asked_at)
        self._room.note_last_attempts(wait=pulse.has_last_attempts)
        if pulse.has_last_attempts:
            self._let_waiting_leave()
        if pulse.has_questions:
            self._answer()
        if pulse.has_schedules:
            self._news.scheduled()
        if pulse.next_due_at is not None:
            # By how much our clock is off does not matter: how long it is until then is the database's to say.
            self._news.due(time.time() + max(pulse.next_due_at - pulse.now, 0.001))
