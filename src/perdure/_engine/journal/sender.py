"""Bringing a batch to the database: again while its outcome is unknown, in parts where one lane keeps the others.

Whatever the database says, no lane waits for another one's trouble. What failed while the database is sound goes in
parts; a lane that fails alone is set aside and goes again later, by itself, while all others commit. It waits for as
long as it takes where the trouble is the store's (a lock that somebody holds, a permission, a full disk); its run is
refused, as with a value that the database does not take, only where the entry itself may be why, and that again and
again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from ..._entries import RunCreated, Verdict
from ...errors import RunInterrupted, StoreError, StoreRefusedError, StoreUnavailableError, UnsupportedStoreError
from ...stores.protocol import Fenced, NothingDone, Store
from ..trouble import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, MOST_TRIES, Trouble
from .lanes import Batch, Lane, Pending, Ring, departure, unforeseen

log = logging.getLogger("perdure")

UNKNOWN_TRIES = 3
"""So often a batch of unknown outcome goes again as it is; then it may be the batch that breaks the connection."""
WAYS = 32
"""Into so many parts a batch goes: of a thousand lanes the one that waits for a timeout is found after two more."""
MOST_IN_VAIN = 4
"""After so many lanes that failed alone, and none that went through, the rest is not tried one by one."""
LONGEST_ASIDE_SECONDS = 5.0


class Settling(Protocol):
    """What the sender needs of the journal."""

    ring: Ring

    def worker_id(self) -> str:
        """Under which this worker writes now."""

    def pause(self, seconds: float) -> None:
        """Sleep, and wake early at the end."""

    def call_writer(self) -> None:
        """There is something to commit, or to look at the clock for."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing is committed here any more."""

    @property
    def is_late(self) -> bool:
        """Whether the journal stops, and has tried for as long as it may."""

    def settle(self, batch: Batch, verdicts: list[Verdict]) -> None:
        """The batch is committed."""

    def fail(self, batch: Batch, error: BaseException) -> None:
        """None of it is, or will be, recorded."""

    def fail_lane(self, lane: Lane, error: BaseException, sent: list[Pending] | None = None) -> None:
        """End the lane: `sent` and what waits in it is void."""


class Sender:
    """For the journal, within its turn."""

    def __init__(
        self,
        journal: Settling,
        store: Store,
        *,
        on_fenced: Callable[[], None],
        on_unknown: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._store = store
        self._on_fenced = on_fenced
        self._on_unknown = on_unknown
        self._trouble = Trouble("what runs record cannot be stored")
        self._aside: dict[Lane, Batch] = {}
        """What of this batch is to wait, by lane."""
        self._in_vain = 0

    def bring(self, batch: Batch, under: str) -> None:
        """Until each entry is recorded, void or set aside. `under` is the worker id for which it was taken: if that has
        changed, what runs did is void.
        """
        self._aside, self._in_vain = {}, 0
        self._bring(batch, under)
        if self._trouble.is_met:
            for lane in lanes_in(batch):
                lane.tries = lane.tries if lane in self._aside else 0
            if self._aside:
                self._set_aside()
            elif not self._journal.ring.has_aside:
                self._trouble.over()

    def _bring(self, batch: Batch, under: str) -> None:
        entries = [item.seal() for _, item in batch]
        pause, tries = FIRST_PAUSE_SECONDS, 0
        while True:
            if under != self._journal.worker_id():
                self._bring_outside(batch)
                return
            try:
                verdicts = self._store.apply(under, entries)
            except Fenced:
                if self._journal.is_closed:  # this worker has left meanwhile, and must not come back for this
                    for lane, item in batch:
                        self._journal.fail_lane(lane, departure(lane), [item])
                    return
                self._on_fenced()
                self._bring_outside(batch)
                return
            except (StoreUnavailableError, UnsupportedStoreError) as error:
                if self._journal.is_late:
                    self._journal.fail(batch, error)
                    return
                tries += 1
                is_known = isinstance(error, (NothingDone, UnsupportedStoreError))
                if not is_known:
                    self._on_unknown()
                if (is_known or tries >= UNKNOWN_TRIES) and self._is_sound(under):
                    self._part(batch, under, error)
                    return
                self._trouble.met(error)
                self._journal.pause(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            except Exception as error:
                self._refuse(batch, under, error)
                return
            else:
                self._in_vain = 0
                self._journal.settle(batch, verdicts)
                return

    def _is_sound(self, under: str) -> bool:
        """Whether the database would take a batch of this worker with nothing in it."""
        try:
            self._store.apply(under, ())
        except Fenced:
            return True  # the next sending meets it, too
        except StoreError:
            return False
        return True

    def _part(self, batch: Batch, under: str, error: StoreError) -> None:
        """The database did nothing of it, and is sound: everything goes in parts, but for what waits for a lock."""
        lanes = lanes_in(batch)
        if isinstance(error, NothingDone) and error.locked:
            held = {lane for lane, item in batch if not error.locked.isdisjoint(item.touches)}
            if held:
                self._keep([pair for pair in batch if pair[0] in held], error)
                if rest := [pair for pair in batch if pair[0] not in held]:
                    self._bring(rest, under)
                return
        if len(lanes) > 1:
            for part in parts_of(batch, lanes, WAYS):
                if self._in_vain < MOST_IN_VAIN:
                    self._bring(part, under)
                else:
                    self._keep(part, error)
            return
        lane = lanes[0]
        lane.tries += 1
        self._in_vain += 1
        if lane.tries > MOST_TRIES and may_be_its_own(error):
            refusal = StoreRefusedError(f"the database did not store it at {lane.tries} tries: {error}")
            refusal.__cause__ = error
            self._refuse(batch, under, refusal)
        else:
            self._keep(batch, error)

    def _keep(self, batch: Batch, error: StoreError) -> None:
        """These lanes are to wait; said after the first time only where the reason is another one."""
        lanes = lanes_in(batch)
        names = [lane.run.run_id for lane in lanes[:3] if lane.run is not None]
        whose = f" for {len(lanes)} of them ({', '.join(names)}{', ...' if len(lanes) > 3 else ''})" if names else ""
        self._trouble.met(error, whose)
        for lane, item in batch:
            self._aside.setdefault(lane, []).append((lane, item))

    def _set_aside(self) -> None:
        now = time.monotonic()
        for lane, batch in self._aside.items():
            if lane.failure is not None:  # the fence came meanwhile
                self._journal.fail(batch, lane.failure)
                continue
            pause = min(LONGEST_ASIDE_SECONDS, 0.25 * 2**lane.tries)
            self._journal.ring.put_aside(lane, [item for _, item in batch], now + pause)
        self._journal.call_writer()  # to look at the clock

    def _refuse(self, batch: Batch, under: str, error: Exception) -> None:
        """One of them cannot be applied: find its lane, so that only that one fails, and its place in there."""
        if len(batch) == 1:
            if not isinstance(error, StoreRefusedError):
                log.error("an entry could not be applied, in a way that was not foreseen", exc_info=error)
                self._on_unknown()
            self._journal.fail(batch, error if isinstance(error, StoreError) else unforeseen(error))
            return
        lanes = lanes_in(batch)
        if len(lanes) > 1:
            for part in parts_of(batch, lanes, 2):
                self._bring(part, under)
            return
        lane = lanes[0]
        for part in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
            if lane.failure is not None:
                self._journal.fail(part, lane.failure)
            elif lane in self._aside:  # its order is kept
                self._aside[lane] += part
            elif lane.tries > MOST_TRIES and len(part) > 1:
                self._refuse(part, under, error)
            else:
                self._bring(part, under)

    def _bring_outside(self, batch: Batch) -> None:
        """After the fence: what was made under no claim goes again, under the new worker; what runs did is void."""
        lost = RunInterrupted("this worker lost its right to write; another one goes on with its runs")
        self._journal.fail([(lane, item) for lane, item in batch if not item.is_outside], lost)
        again = [(lane, item) for lane, item in batch if item.is_outside]
        for _, item in again:
            if isinstance(item.entry, RunCreated):
                item.entry.held_as = None
        if again:
            self._bring(again, self._journal.worker_id())


def lanes_in(batch: Batch) -> list[Lane]:
    """The lanes of a batch, each once."""
    return list(dict.fromkeys(lane for lane, _ in batch))


def parts_of(batch: Batch, lanes: list[Lane], ways: int) -> list[Batch]:
    """The batch in at most so many parts, whole lanes each."""
    size = -(-len(lanes) // ways)
    place = {lane: nth // size for nth, lane in enumerate(lanes)}
    parts: list[Batch] = [[] for _ in range(-(-len(lanes) // size))]
    for lane, item in batch:
        parts[place[lane]].append((lane, item))
    return parts


def may_be_its_own(error: StoreError) -> bool:
    """Whether what was to be stored may be why that failed, and not the store alone."""
    if isinstance(error, NothingDone):
        return error.may_be_entry
    return not isinstance(error, UnsupportedStoreError)
