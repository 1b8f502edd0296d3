"""Who waits here for what others send to a run, and what has arrived for it.

Who waits is told that there may be something, and looks. So it does not matter how often, or by what, he is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from ..._core.flow import Await
from ..._core.inbox import Inbox
from ..._entries import Accepted, Arrival, EventSeen, MessageSent, Verdict, Wait
from ...stores.protocol import Store
from ...typing import RunId
from ..claiming.held_runs import Held
from ..held_run import HeldRun
from ..news import News
from ..trouble import Trouble, until_answered
from .events import EventFollower
from .following import Following

T = TypeVar("T")

OnTold = Callable[[], None]

LOOK_AT = 100
"""So much is read ahead of what is asked for."""


class Arrivals:
    """The register; anybody may tell and wait."""

    def __init__(self, *, store: Store, held: Held, following: Following, news: News) -> None:
        self._store = store
        self._held = held
        self._following = following
        self._followers: dict[OnTold, EventFollower] = {}
        self._news = news
        self._lock = threading.Lock()
        self._watchers: dict[RunId, dict[OnTold, Wait]] = {}
        self._trouble = Trouble("what runs wait for cannot be read")

    def watch(self, run_id: RunId, wait: Wait, on_told: OnTold) -> None:
        """Call `on_told`, from any thread and perhaps often, when there may be what the run waits for."""
        with self._lock:
            self._watchers.setdefault(run_id, {})[on_told] = wait

    def follow(self, request: Await, on_told: OnTold) -> None:
        """The caller is about to wait. What others say, and do not send, somebody has to look for."""
        if request.wait.kind == "event":
            follower = EventFollower(self._store.said, request.wait.run_id, request.wait.what, lambda seen: on_told())
            with self._lock:
                self._followers[on_told] = follower
            self._following.follow(follower)

    def forget(self, run_id: RunId, on_told: OnTold) -> None:
        """Stop that."""
        if (follower := self._followers.pop(on_told, None)) is not None:
            self._following.forget(follower)
        with self._lock:
            watchers = self._watchers.get(run_id, {})
            if watchers.pop(on_told, None) is not None and not watchers:
                del self._watchers[run_id]

    def tell(self, run_id: RunId, topic: str | None = None) -> None:
        """There may be something for the run: a message of the topic, if that is known."""
        with self._lock:
            watchers = list(self._watchers.get(run_id, {}).items())
        for on_told, wait in watchers:
            if topic is None or (wait.kind, wait.what) == ("message", topic):
                on_told()

    def note_sent(self, entry: MessageSent, verdict: Verdict) -> None:
        """A message is committed: tell its receiver, if that is here; else it may be parked, and claimable now."""
        if not isinstance(verdict, Accepted):
            return
        if self._held.is_known(entry.run_id):
            self.tell(entry.run_id, entry.topic)
        else:
            self._news.backlog()

    def at_hand(self, run: HeldRun, request: Await) -> Arrival | EventSeen | None:
        """What has been found for this call already: the caller's alone from here on."""
        if request.wait.kind == "event":
            return request.seen
        return self._inbox_of(run).take(request.wait)

    def look(self, run: HeldRun, request: Await) -> None:
        """Read what there is for this call; asks until the database answers. Blocks."""
        if request.wait.kind == "event":
            [seen] = self._answer(run, lambda: self._store.said.events([(request.wait.run_id, request.wait.what)]))
            request.seen = seen if seen.is_final else None
            return
        inbox = self._inbox_of(run)
        with inbox.lock:
            most = LOOK_AT + inbox.size  # what is at hand, or handed over and not consumed yet, is there too
            consumed = inbox.consumed()
            consumed = consumed if run.lane.is_settled else frozenset()
            found = self._answer(run, lambda: self._store.runs.arrived(run.run_id, request.wait, most))
            inbox.take_in(request.wait, found)
            inbox.forget(consumed)

    def _answer(self, run: HeldRun, ask: Callable[[], T]) -> T:
        return until_answered(ask, self._trouble, lambda: run.interruption is not None)

    def _inbox_of(self, run: HeldRun) -> Inbox:
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
