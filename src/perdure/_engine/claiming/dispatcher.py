"""Who claims: a thread that asks the database for runs while there is room. What others insert the poller notices."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ..._core.definitions import Definitions
from ...errors import StoreError
from ...stores.protocol import NO_FLOORS, Claimed, ClaimRequest, Fenced, Floor, LastAttempts, Store
from ..background import Background
from ..ids import fresh_id
from ..listeners import Listeners
from ..membership.worker import Worker
from ..news import News
from ..trouble import Trouble
from .claims import Claims
from .held_runs import Held
from .room import Room


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
            floors = room.floors(now, asks=True)
            claimed = self._ask(asked, solitude.beside(now), floors)
            solitude.others_had_their_turn()
            if solitude.is_wanted and not claimed.runs:
                self._ask_alone(asked)
        finally:
            self._receive(asked, claimed, now)
        with room.lock:
            return any(room.slots[queue].wants_more for queue in asked)

    def _begin_to_ask(self) -> dict[str, int]:
        room = self._room
        for queue in room.queues():
            room.fill(queue)  # a run at its last attempt may have been in the way
        with room.lock:
            if room.solitude.is_kept or not self._worker.may_start:
                return {}
            now = time.monotonic()
            return {queue: slots.ask(now) for queue, slots in room.slots.items() if slots.wants_more}

    def _ask(
        self, asked: dict[str, int], last_attempts: LastAttempts, floors: Mapping[str, Floor] = NO_FLOORS
    ) -> Claimed:
        claims = [fresh_id() for _ in range(sum(asked.values()))]
        request = ClaimRequest(asked, self._definitions.names(), last_attempts, floors)
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

    def _ask_alone(self, asked: dict[str, int]) -> bool:
        """Claim a run at its last attempt, if there is one and nothing is held here: nothing else begins until it has
        ended or waits, or for long.
        """
        room = self._room
        if not self._held.is_empty:
            return False
        for claimed in self._ask(asked, "alone").runs:
            room.solitude.begin(claimed, time.monotonic())
            with room.lock:
                slots = room.slots[claimed.queue]
                slots.used += slots.weight(claimed)
            self._news.begins(claimed)
            return True
        room.solitude.want_no_more()
        return False

    def _receive(self, asked: dict[str, int], claimed: Claimed, asked_at: float) -> None:
        now = time.monotonic()
        for queue in asked:
            runs = [run for run in claimed.runs if run.queue == queue]
            with self._room.lock:
                slots = self._room.slots[queue]
                back = slots.receive(runs, is_all=queue in claimed.short, now=now)
                slots.floor.learn(claimed.floors.get(queue), asked_at, now)
            for run in back:
                self._news.unwanted(run)
            self._room.fill(queue)

    def abandon(self) -> None:
        """In a forked child."""
        self._thread.abandon()

    def stop(self, seconds: float) -> None:
        """Claim nothing more; waits so long for a claim that is under way."""
        self._thread.stop(seconds)
