"""The slots of one queue in this process, and what waits here for one. Rules alone: the dispatcher locks and acts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable

from ..._entries import RunCreated
from ...stores.protocol import ClaimedRun
from ..held_run import HeldRun
from .floors import FloorKeeper

CLAIM_AT_ONCE = 256
AHEAD_SECONDS = 0.05
"""Runs are claimed ahead of their slots for so long as this process will need for them at its present rate: short ones
share a claim, and a long one never waits here while another process could have it.
"""

LEAST_ENDING = 128
"""So many runs may have ended uncommitted where fewer than that execute at once: a commit for a few costs as much."""
CAREFUL_SECONDS = 10.0
"""So long nothing is claimed ahead after a run that was charged for a worker's death before."""


class Slots:
    """How many runs of the queue execute here, and who is next: those that go on, then those that begin."""

    __slots__ = (
        "_began",
        "_careful_until",
        "_has_priorities",
        "_looked_at",
        "_unit",
        "_weigh",
        "ahead",
        "asked",
        "changed_at",
        "ending",
        "floor",
        "giving",
        "has_backlog",
        "is_asking",
        "is_full",
        "is_known",
        "is_shared",
        "limit",
        "own_limit",
        "ready",
        "resuming",
        "used",
    )

    def __init__(self, limit: int, weigh: Callable[[str], int] | None = None, heaviest: int = 1) -> None:
        self.limit = self.own_limit = limit
        """What holds here; and what the program says, where nobody has set another number."""
        self.is_shared = False
        """Whether limits hold for all workers together: then nothing begins, or goes on, without the database."""
        self.changed_at: float | None = None
        """When something was set for the queue last, as far as this process knows."""
        self.is_known = True
        """Whether the database knows what the program has declared: nothing is claimed before."""
        self.is_full = False
        """Whether there was no room the last time: then any end is a reason to ask again."""
        self.giving: dict[str, int] = {}
        """By claim, how often the run has given its slot back, and that is not committed yet: till then it asks for
        none.
        """
        self.asked: set[str] = set()
        """The claims whose slots the claim that is under way asks for: who gives its slot back meanwhile is not among
        them any more, and the answer is not meant for it.
        """
        self._weigh = weigh
        self._unit = heaviest
        """What is claimed is not known before: room is made for the heaviest."""
        self.used = 0
        """How much of the limit is taken."""
        self.has_backlog = True
        """Whether runs may wait in the database: then nobody is started past them."""
        self.is_asking = False
        """Whether a claim is under way: what it will find goes first."""
        self.resuming: deque[tuple[HeldRun, Callable[[], None]]] = deque()
        self.ready: list[tuple[ClaimedRun, float]] = []
        """Claimed ahead, and when; the most urgent first, and of equals the oldest."""
        self.ahead = 0
        """How many may be."""
        self.ending = 0
        """How many have given their slots away, and the end of their claims is not committed yet."""
        self.floor = FloorKeeper()
        self._has_priorities = False
        """Whether there were runs that go before others: then none is claimed ahead, for a more urgent one may come."""
        self._began = 0
        self._looked_at = 0.0
        self._careful_until = 0.0

    def weight(self, run: HeldRun | ClaimedRun | RunCreated) -> int:
        """How much of the limit the run takes: one, unless the queue weighs its runs, by their functions' names."""
        return 1 if self._weigh is None else self._weigh(run.name)

    def free(self, run: HeldRun | RunCreated) -> bool:
        """Take the run's slot back; whether anybody wants it."""
        self.used -= self.weight(run)
        if self.is_shared and (self.is_full or self.resuming):
            self.has_backlog = True
        return bool(self.has_backlog or self.resuming or self.ready)

    @property
    def may_end_early(self) -> bool:
        """Whether a run may give its slot away before its end is committed. Not where runs go one at a time: there none
        begins that would be repeated after a later one. Nor many: after a crash their bodies are repeated. Nor where
        the slot is everybody's: it ends with the claim.
        """
        if self.is_shared:
            return False
        return self.limit > self._unit and self.ending < self._most_ending

    @property
    def _most_ending(self) -> int:
        return max(self.limit // self._unit, LEAST_ENDING)

    @property
    def _is_behind(self) -> bool:
        """Whether so many runs have waited and wait to leave that nothing new is to come before they have: they take
        memory, and no slot.
        """
        return self.ending >= 2 * self._most_ending

    def has_left(self) -> bool:
        """A run that was `ending` has left; whether that makes room for a claim."""
        was_behind = self._is_behind
        self.ending -= 1
        return self.has_backlog and was_behind and not self._is_behind

    def take_asking(self, run: HeldRun) -> list[Callable[[], None]]:
        """What lets the branches of this run go on that ask for a slot; they ask no more."""
        if not self.resuming:
            return []
        asking = [go_on for asker, go_on in self.resuming if asker is run]
        self.resuming = deque(entry for entry in self.resuming if entry[0] is not run)
        return asking

    def resume(self) -> list[Callable[[], None]]:
        """Give free slots to runs that ask for theirs back: one for all branches of a run."""
        resumed: list[Callable[[], None]] = []
        if self.is_shared:
            return resumed  # see `go_on`
        while self.resuming and self.used < self.limit:
            run = self.resuming[0][0]
            resumed += self.take_asking(run)
            self.used += self.weight(run)
            run.state.has_slot = True
        return resumed

    def askers(self) -> list[HeldRun]:
        """The runs for which a claim is to ask for their slots, as far as there is room here."""
        if not self.resuming or not self.is_shared:
            return []
        runs = {run.claim: run for run, _ in self.resuming if run.claim not in self.giving}
        return [*runs.values()][: max(0, self.limit - self.used)]

    def go_on(
        self, asked: Iterable[HeldRun], resumed: Container[str]
    ) -> tuple[list[Callable[[], None]], list[HeldRun]]:
        """What the claim has given of what was asked: whom it lets go on, and the runs that do not want it any more."""
        granted: list[Callable[[], None]] = []
        unwanted: list[HeldRun] = []
        wanting = {run.claim for run, _ in self.resuming}
        for run in asked:
            is_meant = run.claim in wanting and run.claim in self.asked
            if is_meant and run.claim in resumed:
                granted += self.take_asking(run)
                self.used += self.weight(run)
                run.state.has_slot = True
            elif is_meant:
                self.is_full = True
            elif run.state.uses_slots:
                unwanted.append(run)
        return granted, unwanted

    def give(self, run: HeldRun) -> None:
        """The run gives its slot, or its asking for one, back to all."""
        self.giving[run.claim] = self.giving.get(run.claim, 0) + 1
        self.asked.discard(run.claim)

    def was_given(self, run: HeldRun) -> None:
        """That is committed, or has come to nothing."""
        left = self.giving.get(run.claim, 0) - 1
        if left > 0:
            self.giving[run.claim] = left
        else:
            self.giving.pop(run.claim, None)
        self.has_backlog = True

    def begin(self) -> list[ClaimedRun]:
        """Give free slots to runs that were claimed ahead."""
        begun: list[ClaimedRun] = []
        while self.ready and self.used < self.limit:
            run = self.ready.pop(0)[0]
            begun.append(run)
            self.used += self.weight(run)
        self._began += len(begun)
        return begun

    @property
    def is_free(self) -> bool:
        """Whether a run that is made here may begin past the database: nobody waits for the slot before it."""
        is_first = not (self.has_backlog or self.is_asking or self.resuming or self.ready or self.is_shared)
        return is_first and self.used < self.limit

    @property
    def _room(self) -> int:
        """For how many runs of unknown weight there are slots."""
        return max(0, self.limit - self.used) // self._unit

    @property
    def wants_more(self) -> bool:
        """Whether it is time for a claim."""
        if not self.has_backlog or self.is_asking or not self.is_known or self._is_behind:
            return False
        if self.is_shared:
            return self._room > 0
        if self.resuming:
            return False
        return self._room > 0 or len(self.ready) < self.ahead // 2

    def ask(self, now: float) -> int:
        """Begin a claim: for how many runs; for none, where so many have come ahead by now."""
        rate = self._began / max(now - self._looked_at, 0.001)
        may_look_ahead = now >= self._careful_until and not self._has_priorities and not self.is_shared
        self.ahead = min(CLAIM_AT_ONCE, int(rate * AHEAD_SECONDS)) if may_look_ahead else 0
        self._began, self._looked_at = 0, now
        self.is_full = False
        self.asked = {run.claim for run in self.askers()}
        slots = max(0, min(CLAIM_AT_ONCE, self._room + self.ahead - len(self.ready) - len(self.asked)))
        self.is_asking = bool(slots or self.asked)
        if self.is_asking:
            self.has_backlog = False  # from now on a new one is noted again
        return slots

    def expect_backlog(self, *, is_newer: bool = False) -> None:
        """Something may have become ready in the database, and be older than what was taken last."""
        self.has_backlog = True
        if not is_newer:
            self.floor.forget()

    def receive(self, claimed: list[ClaimedRun], *, is_all: bool, now: float) -> list[ClaimedRun]:
        """The claim's answer, and whether there was no more to be had; what of it is to go back. A claim is charged: a
        run that a death has charged before waits for a free slot, lest deaths beside which it did nothing make it dead
        (rule 11).
        """
        self.is_asking = False
        self.has_backlog = self.has_backlog or not is_all
        self._has_priorities = self._has_priorities or any(run.priority for run in claimed)
        free = self._room
        back = [run for run in claimed[free:] if run.attempts > 1]
        if any(run.attempts > 1 for run in claimed):
            self._careful_until = now + CAREFUL_SECONDS
        if back:
            self.expect_backlog()
        self.ready.extend((run, now) for nth, run in enumerate(claimed) if nth < free or run.attempts <= 1)
        if self._has_priorities:  # else they come in the order in which they begin
            self.ready.sort(key=lambda entry: entry[0].priority)
        return back

    def note(self, priority: int) -> list[ClaimedRun]:
        """A run waits in the database; what is to go back there, so that the more urgent one comes first."""
        self.has_backlog = True
        self.floor.note(priority)
        if not (priority or self._has_priorities):
            return []
        self._has_priorities = True
        return self._take(lambda run, _: run.priority > priority)

    def take_late(self, before: float) -> list[ClaimedRun]:
        """Those that were claimed before that time and still wait: the runs in the slots take longer than expected."""
        return self._take(lambda _, claimed_at: claimed_at < before)

    def _take(self, is_wanted: Callable[[ClaimedRun, float], bool]) -> list[ClaimedRun]:
        """Take those out that are not to begin here now after all."""
        taken = [run for run, claimed_at in self.ready if is_wanted(run, claimed_at)]
        if taken:
            self.ready = [entry for entry in self.ready if not is_wanted(*entry)]
            self.ahead = 0
            self.expect_backlog()
        return taken
