"""For whom there is room here: the slots of each queue, and that a run at its last attempt is alone.

A queue's concurrency is a number of slots in each worker. A run that waits durably gives its slot back and asks for one
again before it goes on, ahead of everything that has not begun; so runs that wait for others in the same queue
cannot block it. A freed slot claims the next run at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Container, Iterable, Mapping

from ..._core.definitions import Definitions
from ..._entries import RunCreated
from ...stores.protocol import NO_FLOORS, Floor, SetLimits
from ...typing import DEFAULT_QUEUE
from ..held_run import HeldRun
from ..news import News
from .slots import Slots
from .solitude import Solitude

TASKS_PER_THREAD = 8
"""How many async runs take as much of what this process executes at once as a sync one."""
VAIN_SECONDS = 1.0
"""What the database refuses sooner than that it has not looked for."""
LATE_SECONDS = 1.0
"""A run that was claimed ahead and waits for longer goes back, for another process perhaps."""


class Room:
    """Gives slots, takes them back, and says whose they are next. From any thread; `lock` guards slots and solitude."""

    def __init__(
        self, *, definitions: Definitions, solitude_seconds: float, may_start: Callable[[], bool], news: News
    ) -> None:
        self._definitions = definitions
        self._may_start = may_start
        self._news = news
        self.lock = threading.Lock()
        self.slots: dict[str, Slots] = {}
        self.solitude = Solitude(solitude_seconds, time.monotonic())
        self._paused: frozenset[str] = frozenset()
        self._is_closed = False

    def declare_started(self, concurrency: int) -> None:
        """This process executes so many runs at once that were started, not submitted: sync ones, which take a thread
        each; of async ones, which take a kilobyte, `TASKS_PER_THREAD` times as many.
        """
        with self.lock:
            self.slots[DEFAULT_QUEUE] = Slots(concurrency * TASKS_PER_THREAD, self._weigh, TASKS_PER_THREAD)
        self._news.wanted()

    def _weigh(self, name: str) -> int:
        definition = self._definitions.get(name)
        return 1 if definition is not None and definition.is_async else TASKS_PER_THREAD

    def declare(self, queue: str, concurrency: int, *, has_limits: bool = False) -> None:
        """This process works on the queue, on so many runs at once. `has_limits`: the program declares more of it,
        which holds for all workers; nothing begins before the database knows that (see `know`).
        """
        with self.lock:
            slots = self.slots.setdefault(queue, Slots(concurrency))
            if slots.limit == slots.own_limit:
                slots.limit = concurrency
            slots.own_limit = concurrency
            if has_limits:
                slots.is_known, slots.is_shared = False, True
        self._news.wanted()

    def know(self, queue: str) -> None:
        """The database knows what the program declares."""
        with self.lock:
            if queue in self.slots:
                self.slots[queue].is_known = True
        self._news.wanted()

    def learn(self, limits: Mapping[str, SetLimits], paused: Collection[str] = frozenset()) -> list[str]:
        """What was set for queues, and which functions are paused, as the database says now; the queues whose limits
        hold for all workers and are others now: there what is held counts, and who waits says so again.
        """
        self._paused = frozenset(paused)
        became: list[str] = []
        is_to_ask = False
        with self.lock:
            for queue, slots in self.slots.items():
                told = limits.get(queue)
                own = None if told is None else told.worker_concurrency
                slots.limit = slots.own_limit if own is None else own
                is_shared = told is not None and told.is_shared
                if slots.is_known and is_shared != slots.is_shared:
                    slots.is_shared = is_shared
                    slots.has_backlog = is_to_ask = True
                changed_at = None if told is None else told.changed_at
                if slots.is_shared and changed_at != slots.changed_at:
                    became.append(queue)
                slots.changed_at = changed_at
                if slots.is_shared and slots.resuming:
                    slots.has_backlog = is_to_ask = True
        if is_to_ask:
            self._news.wanted()
        return became

    def is_shared(self, queue: str) -> bool:
        """Whether limits of the queue hold for all workers together."""
        slots = self.slots.get(queue)
        return slots is not None and slots.is_shared

    def queues(self) -> list[str]:
        """The queues that this process works on."""
        with self.lock:
            return list(self.slots)

    def take(self, entry: RunCreated) -> bool:
        """Take a slot for a run that is about to be made, if it may begin past all that waits."""
        with self.lock:
            slots = self.slots.get(entry.queue)
            if slots is None or self._is_closed or self.solitude.is_kept or not self._may_start():
                return False
            if entry.flow_key is not None or entry.name in self._paused or not slots.is_free:
                slots.has_backlog = True
                return False
            slots.used += slots.weight(entry)
            return True

    def free(self, run: HeldRun | RunCreated) -> None:
        """Take the run's slot back, for who wants it."""
        with self.lock:
            is_wanted = self.slots[run.queue].free(run)
        if is_wanted:
            self.fill(run.queue)

    def fill(self, queue: str) -> None:
        """Use the free slots: first for who goes on, then for who was claimed ahead, then claim."""
        with self.lock:
            slots = self.slots[queue]
            resumed = slots.resume()
            may_begin = not (self._is_closed or self.solitude.is_kept)
            begun = slots.begin() if may_begin else []
            is_to_claim = slots.wants_more
        for go_on in resumed:
            go_on()
        for run in begun:
            self._news.begins(run)
        if is_to_claim:
            self._news.wanted()

    def yield_slot(self, run: HeldRun) -> None:
        """The run waits durably: somebody else may use its slot, and its branches that ask for one go on without."""
        if run.state.uses_slots:
            with self.lock:
                slots = self.slots[run.queue]
                had_slot, run.state.has_slot = run.state.has_slot, False
                resumed = slots.take_asking(run)
                gives = slots.is_shared and bool(had_slot or resumed)
                if gives:
                    slots.give(run)
            if gives:
                self._news.slot_given(run)
            if had_slot:
                self.free(run)
            for go_on in resumed:
                go_on()
        self._end_alone(run)

    def _end_alone(self, run: HeldRun) -> None:
        """A run at its last attempt has ended or waits: others may begin again."""
        if self.solitude.end(run.claim):
            self._news.backlog()

    def regain_slot(self, run: HeldRun, grant: Callable[[], None]) -> bool:
        """The run wants to go on: True if it may at once, else `grant` is called when it may."""
        if not run.state.uses_slots or run.state.has_slot:
            return True
        with self.lock:
            slots = self.slots[run.queue]
            if run.state.has_slot or not run.state.uses_slots:  # granted to another branch, or over, since just now
                return True
            if slots.used < slots.limit and not slots.is_shared:
                slots.used += slots.weight(run)
                run.state.has_slot = True
                return True
            slots.resuming.append((run, grant))
            is_to_ask = slots.is_shared
            slots.has_backlog = slots.has_backlog or is_to_ask
        if is_to_ask:
            self._news.wanted()
        return False

    def give_waiting(self, run: HeldRun) -> None:
        """The limits of the run's queue hold for all from now on: if it waits, it has no slot, and says so."""
        if run.state is None or not run.state.uses_slots:
            return
        with self.lock:
            if gives := not run.state.has_slot:
                self.slots[run.queue].give(run)
        if gives:
            self._news.slot_given(run)

    def slot_was_given(self, run: HeldRun) -> None:
        """The database knows that the run has none: somebody else may have it, here or elsewhere."""
        with self.lock:
            self.slots[run.queue].was_given(run)
        self._news.wanted()

    def receive(self, queue: str, asked: Iterable[HeldRun], resumed: Container[str]) -> None:
        """What a claim says to the runs of the queue that go on."""
        with self.lock:
            granted, unwanted = self.slots[queue].go_on(asked, resumed)
            for run in unwanted:
                self.slots[queue].give(run)
        for go_on in granted:
            go_on()
        for run in unwanted:
            self._news.slot_given(run)

    def finished(self, run: HeldRun) -> None:
        """The run has left this process."""
        self._end_alone(run)
        if run.state is None:  # it could not even begin, with the slot that it was given
            self.free(run)
        else:
            self.give_back(run)

    def give_back(self, run: HeldRun) -> None:
        """The run's claim has ended: nothing of it goes on. From any thread, and more than once."""
        if run.state is None or not (run.state.uses_slots or run.state.is_ending):
            return
        with self.lock:
            slots = self.slots[run.queue]
            was_ending, run.state.is_ending = run.state.is_ending, False
            is_wanted = was_ending and slots.has_left()
            is_wanted = (self._detach(run, slots) and slots.free(run)) or is_wanted
        if is_wanted:
            self.fill(run.queue)

    @staticmethod
    def _detach(run: HeldRun, slots: Slots) -> bool:
        """No branch that is left behind may take a slot, which nobody would give back; whether the run has one."""
        run.state.uses_slots = False
        slots.take_asking(run)
        slots.giving.pop(run.claim, None)
        had_slot, run.state.has_slot = run.state.has_slot, False
        return bool(had_slot)

    def ending(self, run: HeldRun) -> None:
        """The run's end is handed in, and nothing of it executes any more: another one may have its slot."""
        with self.lock:
            slots = self.slots[run.queue]
            if not (run.state.has_slot and slots.may_end_early):
                return
            self._detach(run, slots)
            run.state.is_ending = True
            slots.ending += 1
            is_wanted = slots.free(run)
        if is_wanted:
            self.fill(run.queue)

    def parking(self, run: HeldRun) -> None:
        """The run's park is handed in: it has no slot any more, but is here until that is committed."""
        if run.state is not None and run.state.uses_slots and not run.state.is_ending:
            with self.lock:
                run.state.is_ending = True
                self.slots[run.queue].ending += 1

    def is_next_ready(self, run: HeldRun) -> bool:
        """Whether a run that was claimed ahead waits for this one's slot."""
        slots = self.slots[run.queue]
        return bool(slots.ready) and slots.may_end_early

    def note_ready(self, entry: RunCreated) -> None:
        """A run that was made here waits in the database."""
        with self.lock:
            slots = self.slots.get(entry.queue)
            if slots is None:
                return
            back = slots.note(entry.priority)
            is_to_claim = slots.wants_more
        for run in back:
            self._news.unwanted(run)
        if is_to_claim:
            self._news.wanted()

    def floors(self, queues: Iterable[str], now: float) -> dict[str, Floor]:
        """From where on a claim is to look into these queues; its answer is learnt from."""
        with self.lock:
            found = {queue: self.slots[queue].floor.ask(now) for queue in queues}
        return {queue: floor for queue, floor in found.items() if floor is not None}

    def learn_floors(self, queues: Iterable[str], floors: Mapping[str, Floor], asked_at: float) -> None:
        """How far a claim has come in these queues."""
        with self.lock:
            for queue in queues:
                self.slots[queue].floor.learn(floors.get(queue), asked_at, time.monotonic())

    def floors_of_all(self, now: float) -> dict[str, Floor]:
        """The same for the pulse, which looks into every queue."""
        with self.lock:
            found = {queue: slots.floor.at(now) for queue, slots in self.slots.items()}
        return {queue: floor for queue, floor in found.items() if floor is not None}

    def note_looked_back(self, asked_at: float) -> None:
        """The pulse has looked into every queue from where its floor was at that time, and found nothing there."""
        with self.lock:
            for slots in self.slots.values():
                slots.floor.look_back(asked_at, time.monotonic())

    def note_vain(self, queues: Iterable[str], asked_at: float) -> None:
        """The database did not look into these: perhaps that took longer than it may."""
        now = time.monotonic()
        if now - asked_at < VAIN_SECONDS:
            return
        with self.lock:
            for queue in queues:
                self.slots[queue].floor.look_in_vain(asked_at, now)

    def expect_backlog(self, floors: Mapping[str, Floor] = NO_FLOORS) -> None:
        """Something is claimable in the database, in a queue that we do not know; newer than the floors, if given."""
        with self.lock:
            for queue, slots in self.slots.items():
                slots.expect_backlog(is_newer=queue in floors)
        self._news.wanted()

    def note_last_attempts(self, *, wait: bool) -> None:
        """Whether runs wait that are to be claimed alone. Now and then, so that nobody waits for the other for long."""
        if wait:
            self.solitude.want(time.monotonic())
        else:
            self.solitude.want_no_more()
        if self.solitude.end_in_time(time.monotonic()) or wait:
            self._news.backlog()

    def return_late(self) -> None:
        """Hand back what was claimed ahead and could not begin soon."""
        with self.lock:
            before = time.monotonic() - LATE_SECONDS
            late = [run for slots in self.slots.values() for run in slots.take_late(before)]
        for run in late:
            self._news.unwanted(run)

    def close(self) -> None:
        """Nothing begins here any more."""
        self._is_closed = True

    def abandon(self) -> None:
        """In a forked child, which leaves a run of its parent: another thread may have been in the lock."""
        self._is_closed = True
        self.lock = threading.Lock()
