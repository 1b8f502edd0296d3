"""What waits for its commit: entries in lanes, and the batches that are taken from them. Nothing is committed here.

A *lane* is the queue of one claim, or of one outsider. The entries of a lane go in their order. A batch takes a slice
of each lane in turn, so that a run that makes a million children does not stop a lone one.
"""

from __future__ import annotations

import json
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from .._core.run import Run
from .._entries import Entry, StepRecorded, Stored, Verdict
from ..errors import PerdureError, RunInterrupted, StoreRefusedError

log = logging.getLogger("perdure")

BATCH_ENTRIES = 1000
BATCH_BYTES = 1 << 20
SLICE_ENTRIES = 64
"""The most of one lane before it is the next one's turn."""
LEAST_HALF = 8
"""Fewer entries are no half: each batch has its price."""
MOST_TURNS = 1000
"""How many deliveries one row of the order log holds at most."""

NO_TURNS: Final = Stored("json", "[]")

OnVerdict = Callable[[Verdict], None]


class Pending(Struct):
    """An entry that waits for its commit."""

    entry: Entry
    on_verdict: OnVerdict | None
    size: int
    """Roughly its bytes."""
    is_counted: bool = False
    """Whether the lane's `committed` has it: it may be sent and settled twice."""

    def tell(self, verdict: Verdict) -> None:
        """Tell the owner, once. What goes wrong there must not keep others from being told."""
        on_verdict, self.on_verdict = self.on_verdict, None
        if on_verdict is not None:
            try:
                on_verdict(verdict)
            except Exception:
                log.exception("a verdict could not be told")

    def seal(self) -> Entry:
        """The entry as it is sent."""
        return self.entry

    @property
    def is_outside(self) -> bool:
        """Whether it was made under no claim: then it outlives the end of this worker's right to write."""
        return self.entry.claim is None


class PendingTurns(Pending):
    """Deliveries for the order log; more join it until it is sent."""

    entry: StepRecorded
    first: int = 0
    keys: list[str] = []

    @classmethod
    def of(cls, run: Run, first: int, key: str) -> PendingTurns:
        """A row of the log that begins with this delivery; its outcome comes when it is sent."""
        mark = f"#{first}"
        entry = StepRecorded(run.run_id, run.claim, mark, mark, "order", "order", "-", False, NO_TURNS)
        return cls(entry, None, 200, first=first, keys=[key])

    def can_take(self, position: int) -> bool:
        """Whether the delivery at this position is the row's next."""
        return len(self.keys) < MOST_TURNS and self.first + len(self.keys) == position

    def seal(self) -> Entry:
        # Keys are no data of the user's: no codec, no limit.
        self.entry.outcome = Stored("json", json.dumps([self.first, *self.keys]))
        return self.entry


class Lane(Struct, eq=False):
    """What one claim, or one outsider, has handed in. `failure` ends it: nothing of it is applied from there on.

    It does not keep its run, which keeps it: what has ended is gone at once, and not when garbage is collected.
    """

    _run: Any = None
    """The run, or None for an outsider; a weak reference from the start on."""
    pending: list[Pending] = []
    appended: int = 0
    committed: int = 0
    failure: BaseException | None = None
    is_listed: bool = False
    waiters: list[tuple[int, Callable[[], None]]] = []
    __repr__ = object.__repr__

    def __post_init__(self) -> None:
        if self._run is not None:
            self._run = weakref.ref(self._run)

    @property
    def run(self) -> Run | None:
        """Whose claim it is; None for an outsider, and when nobody knows the run any more."""
        return None if self._run is None else self._run()

    @property
    def is_outside(self) -> bool:
        """Whether it belongs to no claim."""
        return self._run is None

    @property
    def is_settled(self) -> bool:
        """Whether all that was handed in is committed."""
        return self.committed == self.appended

    def check(self) -> None:
        """Raise what ended the lane, if something did."""
        if self.failure is not None:
            raise self.failure


Batch = list[tuple[Lane, Pending]]


class Ring:
    """The lanes in which something waits, in turn. `lock` guards it and every lane."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._lanes: deque[Lane] = deque()
        self.bytes = 0
        """What waits in all lanes."""
        self.pushed = 0
        """How many entries were ever handed in."""
        self.waiting = 0
        """How many of them wait now."""
        self.half = LEAST_HALF
        """Half of what there is: the most, lately, that a batch held and that waited when it was committed. Taken when
        so many wait, one half of the runs is on its way to the database while the other half makes its next entries,
        and neither waits for the other.
        """
        self._there_is = 0
        self.is_closed = False
        """Whether nothing more is taken in."""

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def push(self, lane: Lane, item: Pending) -> int:
        """Queue the item; its number in the lane. Raises what ended the lane."""
        with self.lock:
            if self.is_closed and lane.failure is None:
                lane.failure = departure(lane)
            if lane.failure is not None:
                raise lane.failure
            lane.pending.append(item)
            lane.appended = number = lane.appended + 1
            self.bytes += item.size
            self.pushed += 1
            self.waiting += 1
            if not lane.is_listed:
                lane.is_listed = True
                self._lanes.append(lane)
            return number

    def push_turn(self, lane: Lane, run: Run, position: int, key: str) -> None:
        """Queue a delivery, in the row of the order log that is still waiting if there is one."""
        with self.lock:
            lane.check()
            tail = lane.pending[-1] if lane.pending else None
            if isinstance(tail, PendingTurns) and tail.can_take(position):
                tail.keys.append(key)
                return
        self.push(lane, PendingTurns.of(run, position, key))

    def take(self, batch: Batch, entries: int = BATCH_ENTRIES) -> None:
        """Move a slice of each lane in turn into the empty batch, so many in all; a large entry alone. Ctrl-C at any
        point may leave an entry in both, or a lane listed twice, and loses none.
        """
        size = 0
        with self.lock:
            lanes = self._lanes
            while lanes and len(batch) < entries:
                lane = lanes[0]
                taken, is_full = self._slice(lane, batch, size, entries)
                size += taken
                if is_full and not taken:
                    break  # it was its turn: it opens the next batch
                if lane.pending:
                    lanes.rotate(-1)
                else:
                    lane.is_listed = False
                    lanes.popleft()
                if is_full:
                    break
            self.bytes -= size
            self.waiting -= len(batch)

    def note_committed(self, entries: int) -> None:
        """So many were in a batch that is committed. The caller has the lock."""
        self._there_is = max(entries + self.waiting, self._there_is * 31 // 32)
        self.half = max(LEAST_HALF, self._there_is // 2)

    @staticmethod
    def _slice(lane: Lane, batch: Batch, size: int, entries: int) -> tuple[int, bool]:
        """Move the next entries of the lane into the batch: their bytes, and whether the batch can hold no more."""
        taken, is_full, count = 0, False, 0
        room = min(SLICE_ENTRIES, entries - len(batch))
        for item in lane.pending[:room]:
            is_full = bool(batch) and size + taken + item.size > BATCH_BYTES
            if is_full:
                break
            batch.append((lane, item))
            taken += item.size
            count += 1
        del lane.pending[:count]
        return taken, is_full

    def close(self) -> list[Lane]:
        """Take in nothing more; the lanes in which something waits."""
        with self.lock:
            self.is_closed = True
            return list(self._lanes)

    def clear(self, lane: Lane, error: BaseException) -> tuple[list[Pending], list[Callable[[], None]]]:
        """End the lane: what waited in it, and whom to wake."""
        with self.lock:
            if lane.failure is None:
                lane.failure = error
            void = list(lane.pending)
            self.bytes -= sum(item.size for item in void)
            self.waiting -= len(void)
            lane.pending.clear()
            waiters, lane.waiters = lane.waiters, []
        return void, [wake for _, wake in waiters]


def departure(lane: Lane) -> BaseException:
    """What whoever hands in something gets when this worker has left: a run is let go of, others are told."""
    reason = "perdure has shut down in this process, and takes nothing more in"
    return PerdureError(reason) if lane.is_outside else RunInterrupted(reason)


def unforeseen(error: Exception) -> StoreRefusedError:
    """What an entry's owner is told that no attempt to store it could get over: as of one that the database refuses."""
    refusal = StoreRefusedError(f"it could not be stored ({type(error).__name__}); the log has the details")
    refusal.__cause__ = error
    return refusal
