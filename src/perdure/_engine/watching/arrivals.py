"""Who waits here for what others send to a run, and what has arrived for it.

Who waits is told that there may be something, and looks. So it does not matter how often, or by what, he is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..._core.flow import Await
from ..._core.inbox import Inbox
from ..._entries import Accepted, Arrival, Arrived, EventSeen, MessageSent, Verdict, Wait
from ...stores.protocol import Store
from ...typing import RunId
from ..claiming.held_runs import Held
from ..held_run import HeldRun
from ..hosting.together import MOST_AT_ONCE, OnRead, Together
from ..news import News
from .following import Following
from .until_final import UntilFinal

OnTold = Callable[[], None]

LOOK_AT = MOST_AT_ONCE
"""So much is read in one look, of which one is asked for."""


class Arrivals:
    """The register; anybody may tell and wait."""

    def __init__(
        self, *, store: Store, held: Held, following: Following, news: News, together: Callable[..., Together[Any]]
    ) -> None:
        self._store = store
        self._held = held
        self._following = following
        self._followers: dict[OnTold, UntilFinal] = {}
        self._news = news
        self._lock = threading.Lock()
        self._watchers: dict[RunId, dict[OnTold, Wait]] = {}
        self._events: Together[Await] = together(self._look_at_events, activity="the events that runs wait for")
        self._messages: Together[tuple[HeldRun, Wait]] = together(
            self._look_at_messages, activity="the messages that runs wait for"
        )

    def watch(self, run_id: RunId, wait: Wait, on_told: OnTold) -> None:
        """Call `on_told`, from any thread and perhaps often, when there may be what the run waits for."""
        with self._lock:
            self._watchers.setdefault(run_id, {})[on_told] = wait

    def follow(self, request: Await, on_told: OnTold) -> None:
        """The caller is about to wait. What others say, and do not send, somebody has to look for."""
        wait = request.wait
        if wait.kind == "event":
            wanted = wait.run_id, wait.what
            follower = UntilFinal(wait.run_id, self._store.said.events, wanted, lambda seen: on_told())
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

    def at_hand(self, run: HeldRun, request: Await) -> Arrived | None:
        """What has been found for this call already: the caller's alone from here on."""
        if request.wait.kind == "event":
            return request.seen
        return self._inbox_of(run).take(request.wait)

    def look(self, run: HeldRun, request: Await, on_looked: OnRead) -> bool:
        """Read what there is for this call, then call `on_looked`; as `Together.ask`."""
        if request.wait.kind == "event":
            return self._events.ask(request, on_looked)
        return self._messages.ask((run, request.wait), on_looked)

    def _look_at_events(self, requests: list[Await]) -> list[EventSeen]:
        found = self._store.said.events([(request.wait.run_id, request.wait.what) for request in requests])
        for request, seen in zip(requests, found, strict=True):
            request.seen = seen if seen.is_final else None
        return found

    def _look_at_messages(self, waits: list[tuple[HeldRun, Wait]]) -> list[list[Arrival]]:
        inboxes = [self._inbox_of(run) for run, _ in waits]
        consumed = [consumed_for_good(run, inbox) for (run, _), inbox in zip(waits, inboxes, strict=True)]
        # What is at hand, or handed over and not consumed yet, is there too.
        most = LOOK_AT // len(waits) + max(inbox.size for inbox in inboxes)
        found = self._store.runs.arrived([(run.run_id, wait.what) for run, wait in waits], most)
        for (_, wait), inbox, arrivals, gone in zip(waits, inboxes, found, consumed, strict=True):
            inbox.take_in(wait, arrivals)
            inbox.forget(gone)
        return found

    def _inbox_of(self, run: HeldRun) -> Inbox:
        """Of a run of which two threads may wait for the first time."""
        if run.inbox is None:
            with self._lock:
                if run.inbox is None:
                    run.inbox = Inbox()
        return run.inbox

    def abandon(self) -> None:
        """In a forked child: another thread of the parent may have been in the lock, and nobody waits here."""
        self._lock = threading.Lock()
        self._watchers.clear()


def consumed_for_good(run: HeldRun, inbox: Inbox) -> frozenset[str]:
    """What no look from now on will show."""
    handed_in = inbox.consumed()
    return handed_in if run.lane.is_settled else frozenset()
