"""Who claims: a thread that asks the database for runs while there is room. What others insert the poller notices."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from ..._core.definitions import Definitions
from ...errors import StoreError
from ...stores.protocol import NO_FLOORS, Claimed, ClaimRequest, Fenced, Floor, LastAttempts, NothingDone, Store
from ..background import Background
from ..held_run import HeldRun
from ..ids import fresh_id
from ..listeners import Listeners
from ..membership.worker import Worker
from ..news import News
from ..trouble import Trouble
from .claims import Claims
from .held_runs import Held
from .room import Room

LEAST_WINDOW_SECONDS = 0.001
"""A window that opens sooner than that is looked at no sooner."""


class Asked(NamedTuple):
    """What is asked of one queue: slots for runs that go on, and how many new runs."""

    resuming: list[HeldRun]
    slots: int


Asking = Mapping[str, Asked]


class Dispatcher:
    """Claims when poked."""

    def __init__(
        self,
        *,
        store: Store,
        definitions: Definitions,
        worker: Worker,
        held: Held,
        room: Room,
        claims: Claims,
        listeners: Listeners,
        news: News,
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._worker = worker
        self._held = held
        self._room = room
        self._claims = claims
        self._listeners = listeners
        self._news = news
        self._trouble = Trouble("no runs can be claimed")
        self._thread = Background("dispatcher", self._dispatch)
        self.start = self._thread.start
        self.poke = self._thread.poke

    def _dispatch(self) -> None:
        try:
            while not self._thread.is_stopping and self._claim():
                pass
            self._trouble.over()
        except StoreError as error:
            self._trouble.met(error)
            self._news.unknown()

    def _claim(self) -> bool:
        """Claim once; whether it is worth trying again at once."""
        room, solitude = self._room, self._room.solitude
        asked = self._begin_to_ask()
        if not asked:
            return False
        claimed, now = Claimed(), time.monotonic()
        try:
            if solitude.goes_first(now) and self._ask_alone(asked):
                return False
            for group in self._groups(asked):
                claimed.add(self._ask_on(group, solitude.beside(now)))
            solitude.others_had_their_turn()
            if solitude.is_wanted and not claimed.runs:
                self._ask_alone(asked)
        finally:
            self._receive(asked, claimed)
        with room.lock:
            return any(room.slots[queue].wants_more for queue in asked)

    def _begin_to_ask(self) -> dict[str, Asked]:
        room = self._room
        for queue in room.queues():
            room.fill(queue)  # a run at its last attempt may have been in the way
        with room.lock:
            if room.solitude.is_kept or not self._worker.may_start:
                return {}
            now = time.monotonic()
            wanting = sorted(queue for queue, slots in room.slots.items() if slots.wants_more)
            asked = {queue: Asked(room.slots[queue].askers(), room.slots[queue].ask(now)) for queue in wanting}
            return {queue: one for queue, one in asked.items() if room.slots[queue].is_asking}

    def _groups(self, asked: Asking) -> list[Asking]:
        """What is asked for together: a queue whose limits hold for all is locked by its claim, and so asked by
        itself.
        """
        shared = [queue for queue in asked if self._room.is_shared(queue)]
        plain = {queue: most for queue, most in asked.items() if queue not in shared}
        return [*([plain] if plain else []), *({queue: asked[queue]} for queue in shared)]

    def _ask_on(self, asked: Asking, last_attempts: LastAttempts) -> Claimed:
        """Claim from where the floors of these queues are, and learn from the answer."""
        room, now = self._room, time.monotonic()
        try:
            claimed = self._ask(asked, last_attempts, room.floors(asked, now))
        except NothingDone:
            room.note_vain(asked, now)
            raise
        room.learn_floors(asked, claimed.floors, now)
        return claimed

    def _ask(self, asked: Asking, last_attempts: LastAttempts, floors: Mapping[str, Floor] = NO_FLOORS) -> Claimed:
        claims = [fresh_id() for _ in range(sum(one.slots for one in asked.values()))]
        request = ClaimRequest(
            {queue: one.slots for queue, one in asked.items()},
            self._definitions.names(),
            last_attempts,
            floors,
            {queue: [run.claim for run in one.resuming] for queue, one in asked.items() if one.resuming},
        )
        worker_id = self._worker.worker_id
        try:
            with self._claims.claiming(alone=last_attempts == "alone"):
                worker_id = self._worker.worker_id
                claimed = self._store.claim(worker_id, request, claims)
                for run in claimed.runs:  # still in there: nobody may think that we do not know these
                    self._held.expect(run.run_id, run.claim)
        except Fenced:  # after a failover our row may be there still, and no heartbeat tells
            self._claims.lost_right(worker_id)
            return Claimed()
        self._listeners.claimed(claimed.runs)
        return claimed

    def _ask_alone(self, asked: Asking) -> bool:
        """Claim a run at its last attempt, if there is one and nothing is held here: nothing else begins until it has
        ended or waits, or for long.
        """
        room = self._room
        if not self._held.is_empty:
            return False
        new = {queue: Asked([], one.slots) for queue, one in asked.items()}
        for claimed in self._ask(new, "alone").runs:
            room.solitude.begin(claimed, time.monotonic())
            with room.lock:
                slots = room.slots[claimed.queue]
                slots.used += slots.weight(claimed)
            self._news.begins(claimed)
            return True
        room.solitude.want_no_more()
        return False

    def _receive(self, asked: Asking, claimed: Claimed) -> None:
        now = time.monotonic()
        for queue, one in asked.items():
            runs = [run for run in claimed.runs if run.queue == queue]
            with self._room.lock:
                slots = self._room.slots[queue]
                back = slots.receive(runs, is_all=queue in claimed.short or not one.slots, now=now)
                slots.is_full = slots.is_full or claimed.short.get(queue) == "full"
            for run in back:
                self._news.unwanted(run)
            self._room.receive(queue, one.resuming, claimed.resumed)
            self._room.fill(queue)
        for seconds in claimed.opens_in.values():
            self._news.due(time.time() + max(seconds, LEAST_WINDOW_SECONDS))
        if claimed.ended:
            self._claims.overflowed(claimed.ended)
        if claimed.has_cancelled:
            self._worker.line.say(is_vague=True)
            self._news.look()

    def abandon(self) -> None:
        """In a forked child."""
        self._thread.abandon()

    def stop(self, seconds: float) -> None:
        """Claim nothing more; waits so long for a claim that is under way."""
        self._thread.stop(seconds)
