"""What waits for its commit: entries in lanes, and the batches that are taken from them. Nothing is committed here.

A *lane* is the queue of one claim, or of one outsider. The entries of a lane go in their order. A batch takes a slice
of each lane in turn, so that a run that makes a million children does not stop a lone one.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec import Struct

from ..._core.run import Run
from ..._entries import Entry, RunCreated, StepRecorded, Stored, Verdict
from ...errors import PerdureError, RunInterrupted, StoreRefusedError
from ...typing import RunId

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

    def absorb(self, other: Pending) -> bool:
        """Take in what was handed in right after it, if both can be one entry; whether it did."""
        return False

    @property
    def is_outside(self) -> bool:
        """Whether it was made under no claim: then it outlives the end of this worker's right to write."""
        return self.entry.claim is None

    @property
    def touches(self) -> tuple[RunId, ...]:
        """The runs whose rows are written, or locked, for it."""
        entry = self.entry
        if isinstance(entry, RunCreated) and entry.parent_id is not None:
            return entry.run_id, entry.parent_id
        return (entry.run_id,)


class PendingTurns(Pending):
    """Deliveries for the order log; more join it until it is sent."""

    entry: StepRecorded
    first: int = 0
    keys: list[str] = []

    @classmethod
    def of(cls, run: Run, first: int, key: str) -> PendingTurns:
        """A row of the log that begins with this delivery; its outcome comes when it is sent."""
        number = run.next_entry_id()
        entry = StepRecorded(run.run_id, run.claim, number, f"#{first}", "order", "order", "-", False, NO_TURNS)
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

    _run: weakref.ref[Run] | None = None
    """The run, or None for an outsider."""
    pending: list[Pending] = []
    appended: int = 0
    committed: int = 0
    failure: BaseException | None = None
    is_listed: bool = False
    waiters: list[tuple[int, Callable[[], None]]] = []
    tries: int = 0
    """How often its next entries were tried alone, in vain."""
    __repr__ = object.__repr__

    @classmethod
    def of(cls, run: Run) -> Lane:
        """The lane of this run's claim."""
        return cls(weakref.ref(run))

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
        self._aside: dict[Lane, float] = {}
        """Those whose entries failed alone, and when they go again (monotonic): without the others."""
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
        return bool(self._lanes or self.is_due)

    @property
    def has_aside(self) -> bool:
        """Whether lanes are set aside."""
        return bool(self._aside)

    @property
    def is_due(self) -> bool:
        """Whether some of them are to go again."""
        return bool(self._aside) and self.seconds_until_due() == 0.0

    def seconds_until_due(self) -> float | None:
        """When the next of them is; None where none is set aside."""
        with self.lock:
            due_at = min(self._aside.values(), default=None)
        return None if due_at is None else max(0.0, due_at - time.monotonic())

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

    def push_or_join(self, lane: Lane, item: Pending) -> None:
        """Queue the item, in the entry that was handed in before it if that still waits and can take it in."""
        with self.lock:
            lane.check()
            tail = lane.pending[-1] if lane.pending else None
            before = 0 if tail is None else tail.size
            if tail is not None and tail.absorb(item):
                self.bytes += tail.size - before
                return
        self.push(lane, item)

    def take(self, batch: Batch, entries: int = BATCH_ENTRIES) -> None:
        """Move a slice of each lane in turn into the empty batch, so many in all; a large entry alone. Ctrl-C at any
        point may leave an entry in both, or a lane listed twice, and loses none.
        """
        with self.lock:
            self._fill(batch, self._lanes, entries)

    def take_due(self, batch: Batch) -> None:
        """The same of the lanes that were set aside and are to go again: they keep nobody else."""
        with self.lock:
            now = time.monotonic()
            lanes = deque(lane for lane, due_at in self._aside.items() if due_at <= now)
            self._fill(batch, lanes, BATCH_ENTRIES)
            for lane in [lane for lane in self._aside if not lane.is_listed]:
                del self._aside[lane]

    def _fill(self, batch: Batch, lanes: deque[Lane], entries: int) -> None:
        size = 0
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

    def put_aside(self, lane: Lane, items: list[Pending], due_at: float) -> None:
        """These were taken, and go again before what the lane has got since: at that time (monotonic), not before."""
        with self.lock:
            lane.pending[:0] = items
            self.bytes += sum(item.size for item in items)
            self.waiting += len(items)
            lane.is_listed = True
            self._aside[lane] = due_at
            with suppress(ValueError):
                self._lanes.remove(lane)

    def hasten(self) -> None:
        """Whatever is set aside is to go again now."""
        with self.lock:
            self._aside = dict.fromkeys(self._aside, 0.0)

    def run_ids(self) -> list[RunId]:
        """The runs for which something waits."""
        with self.lock:
            return [item.entry.run_id for lane in (*self._lanes, *self._aside) for item in lane.pending]

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
            return [*self._lanes, *self._aside]

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
