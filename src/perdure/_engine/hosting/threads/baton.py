"""One thread of a run at a time runs the run's own code: then what its branches share is the same live and on replay.

The invariant: a thread holds the baton from the moment when it begins a branch, is handed an outcome, or has waited for
another branch, until it makes its next durable call, waits for a branch, or ends. It then goes to who is ready to go
on, in the order in which they became ready, which follows from the program; an outcome is handed over only when nobody
is, as on an event loop at rest. Bodies of steps run beside each other: while a body runs its thread has no baton.

A holder that waits for something else, such as a lock or a socket, might wait for another branch. Whoever wants the
baton therefore watches it: if it does nothing for a while, though this machine has time, the run is *loose* from then
on: its threads run beside each other, and only for a moment one delivery waits for the reaction to the one before.
"""

from __future__ import annotations

import threading
import time
from collections import deque

REACTION_SECONDS = 0.01
"""In a loose run: how long the next delivery waits for the thread that got the last one to come back."""
SLICE_SECONDS = 0.01
IDLE_SLICES = 5
"""So many slices of time the holder must have done nothing in while whoever watches was itself not late."""
LATE_SECONDS = 1.0
"""After so long a holder that does nothing waits for something, however late everybody is."""


class Baton:
    """One run's. All under the lock of the run's threads."""

    def __init__(self) -> None:
        self.is_loose = False
        self.is_starting = False
        """Whether the holder waits for a thread to start, which may take long: it does not wait for another branch."""
        self._holder: threading.Thread | None = None
        self._ready: deque[object] = deque()
        """Who goes on next: the branches that begin, and those whose wait for another one is over."""
        self._since = 0.0
        self._idle = 0
        self._watched_until = 0.0

    def queue(self, branch: object) -> None:
        """This one is ready to go on."""
        if not self.is_loose:
            self._ready.append(branch)

    def drop(self, branch: object) -> None:
        """It will not go on after all."""
        if branch in self._ready:
            self._ready.remove(branch)

    def is_next(self, branch: object) -> bool:
        """Whether it is this one's turn after the holder's; who is not in the queue comes after all that are."""
        return not self._ready or self._ready[0] is branch

    def may_take(self, branch: object) -> bool:
        """Whether it is this one's turn."""
        return self.is_loose or (self._holder is None and self.is_next(branch))

    def is_free(self) -> bool:
        """Whether the run is at rest, but for what runs in bodies."""
        return self._holder is None and not self._ready

    def take(self, branch: object = None) -> None:
        """The calling thread runs the run's code from now on."""
        if self._ready and self._ready[0] is branch:
            self._ready.popleft()
        self._holder = threading.current_thread()
        self._since = time.monotonic()
        self._idle = 0

    def put_down(self) -> bool:
        """The calling thread does not run the run's code any more; whether it did."""
        if self._holder is not threading.current_thread():
            return False
        self._holder = None
        return True

    def watch(self, changed: threading.Condition) -> None:
        """Wait for a change, or until the holder has kept everybody waiting for too long."""
        holder, since = self._holder, self._since
        if holder is None or not holder.is_alive():
            self._holder = None
            changed.wait(SLICE_SECONDS if holder is None else 0.0)
        elif self.is_loose:
            if not changed.wait(max(0.0, since + REACTION_SECONDS - time.monotonic())) and self._since == since:
                self._take_away(changed)
        elif self._is_idle(holder, since, changed):
            self.is_loose = True
            self._ready.clear()
            self._take_away(changed)

    def _take_away(self, changed: threading.Condition) -> None:
        self._holder = None
        changed.notify_all()

    def _is_idle(self, holder: threading.Thread, since: float, changed: threading.Condition) -> bool:
        began, used = time.monotonic(), processor_seconds(holder)
        is_told = changed.wait(SLICE_SECONDS)
        now = time.monotonic()
        if is_told or self.is_starting or self._holder is not holder or self._since != since or not holder.is_alive():
            return False
        is_in_time = now - began < 1.5 * SLICE_SECONDS  # else the machine is busy, and the holder may be late as well
        has_worked = processor_seconds(holder) - used > SLICE_SECONDS / 20
        if is_in_time and not has_worked and began >= self._watched_until:
            self._idle += 1
            self._watched_until = now
        return self._idle >= IDLE_SLICES or (not has_worked and now - since > LATE_SECONDS)


def processor_seconds(thread: threading.Thread) -> float:
    """How long the thread, which is alive, has had a processor; 0 where the system does not tell."""
    clock_of = getattr(time, "pthread_getcpuclockid", None)
    if clock_of is None or thread.ident is None:
        return 0.0
    return time.clock_gettime(clock_of(thread.ident))
