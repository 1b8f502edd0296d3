"""Replays that differ in what may come from a crowded machine: they are tried again, beside no other replay.

A recovery replays hundreds of runs at once. A timer of one may then go off before its recorded outcome is handed over,
though live it never did; a thread may come late. Such a run is released and tried once more in this process, while
nothing else here replays; what differs again then is a difference. All of this is in memory: another process that
claims the run meanwhile begins to count for itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from weakref import WeakSet, ref

from ..._core.run import Run
from ...typing import RunId

MOST_REMEMBERED = 10_000
ALONE_SECONDS = 10.0
"""How long a run that is tried again waits, at most, for the other replays, and they for it."""
LOOK_SECONDS = 0.02


class Replays:
    """Who replays here, and who is to do so alone. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._differed: dict[RunId, str] = {}
        """Runs that are to be tried again, and in what they differed."""
        self._under_way: WeakSet[Run] = WeakSet()
        self._alone: Callable[[], Run | None] = nobody
        self._alone_since = 0.0

    def try_again(self, run: Run, difference: str) -> bool:
        """Whether the run, which differed, is to be tried once more; not if it was."""
        with self._lock:
            if run.run_id in self._differed:
                return False
            while len(self._differed) >= MOST_REMEMBERED:
                del self._differed[next(iter(self._differed))]
            self._differed[run.run_id] = difference
            return True

    def first_difference(self, run_id: RunId) -> str | None:
        """In what the run differed at its first try; it is told once, and forgotten."""
        with self._lock:
            return self._differed.pop(run_id, None)

    def may_begin(self, run: Run, waits_since: float) -> bool:
        """Whether the run may replay now. Who is to be alone waits for the others, and they for it; not for ever."""
        now = time.monotonic()
        is_patient = now - waits_since < ALONE_SECONDS
        with self._lock:
            self._look(now)
            is_tried_again = run.run_id in self._differed
            if is_patient and (self._alone() is not None or (is_tried_again and self._under_way)):
                return False
            if is_tried_again:
                self._alone, self._alone_since = ref(run), now
            self._under_way.add(run)
            return True

    def _look(self, now: float) -> None:
        """Forget who has caught up or left."""
        self._under_way = WeakSet(one for one in self._under_way if replays(one))
        alone = self._alone()
        if alone is not None and not alone.is_behind:
            self._differed.pop(alone.run_id, None)
        if alone is None or not replays(alone) or now - self._alone_since > ALONE_SECONDS:
            self._alone = nobody


def nobody() -> None:
    """No run replays alone."""


def replays(run: Run) -> bool:
    """Whether the run still has recorded outcomes to hand over here."""
    return run.is_behind and run.interruption is None
