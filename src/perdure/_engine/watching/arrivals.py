"""Who waits here for what others send to a run, and what has arrived for it.

Who waits is told that there may be something, and looks. So it does not matter how often, or by what, he is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..._core.flow import Await
from ..._core.inbox import Inbox
from ..._core.run import Run
from ..._entries import Accepted, Arrival, MessageSent, Verdict
from ...stores.protocol import Store
from ...typing import RunId
from ..claiming.held_runs import Held
from ..news import News
from ..trouble import Trouble, until_answered

OnTold = Callable[[], None]

LOOK_AT = 100
"""So much is read ahead of what is asked for."""


class Arrivals:
    """The register; anybody may tell and wait."""

    def __init__(self, *, store: Store, held: Held, news: News) -> None:
        self._store = store
        self._held = held
        self._news = news
        self._lock = threading.Lock()
        self._watchers: dict[RunId, list[OnTold]] = {}
        self._trouble = Trouble("what runs wait for cannot be read")

    def watch(self, run_id: RunId, on_told: OnTold) -> None:
        """Call `on_told`, from any thread and perhaps often, when there may be something for the run."""
        with self._lock:
            self._watchers.setdefault(run_id, []).append(on_told)

    def forget(self, run_id: RunId, on_told: OnTold) -> None:
        """Stop that."""
        with self._lock:
            watchers = self._watchers.get(run_id, [])
            if on_told in watchers:
                watchers.remove(on_told)
                if not watchers:
                    del self._watchers[run_id]

    def tell(self, run_id: RunId) -> None:
        """There may be something for the run."""
        with self._lock:
            watchers = list(self._watchers.get(run_id, ()))
        for on_told in watchers:
            on_told()

    def note_sent(self, entry: MessageSent, verdict: Verdict) -> None:
        """A message is committed: tell its receiver, if that is here; else it may be parked, and claimable now."""
        if not isinstance(verdict, Accepted):
            return
        if self._held.is_known(entry.run_id):
            self.tell(entry.run_id)
        else:
            self._news.backlog()

    def at_hand(self, run: Run, request: Await) -> Arrival | None:
        """What has been found for this call already: the caller's alone from here on."""
        return self._inbox_of(run).take(request.wait)

    def look(self, run: Run, request: Await) -> None:
        """Read what there is for this call; asks until the database answers. Blocks."""
        inbox = self._inbox_of(run)
        with inbox.lock:
            most = LOOK_AT + inbox.size  # what is at hand, or handed over and not consumed yet, is there too
            consumed = inbox.consumed()
            consumed = consumed if run.lane.is_settled else frozenset()
            found = until_answered(
                lambda: self._store.arrived(run.run_id, request.wait, most),
                self._trouble,
                lambda: run.interruption is not None,
            )
            inbox.take_in(request.wait, found)
            inbox.forget(consumed)

    def _inbox_of(self, run: Run) -> Inbox:
        """Of a run of which two threads may wait for the first time."""
        if run.inbox is None:
            with self._lock:
                if run.inbox is None:
                    run.inbox = Inbox(threading.Lock())
        return run.inbox

    def abandon(self) -> None:
        """In a forked child: another thread of the parent may have been in the lock, and nobody waits here."""
        self._lock = threading.Lock()
        self._watchers.clear()
