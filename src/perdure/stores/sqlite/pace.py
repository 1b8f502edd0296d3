"""How much an event loop may commit by itself, and what it has then.

Handing a commit to another thread and waking the loop again costs as much as half a commit on a fast disk. On a slow
disk, or while others write, a loop must not stand still; and of many entries the thread commits some while the loop
makes the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ..._entries import Verdict

FEW_ENTRIES: Final = 8
"""Of so many a loop commits all; the thread would cost more than they do."""
FEW_BYTES: Final = 256 * 1024
"""What a disk takes longer for is the thread's, however few entries it is."""
SHORT_SECONDS: Final = 0.005
"""What a loop may stand still: about as long as the interpreter lets one thread go on before another."""
_SHARE: Final = 0.2
"""How much the latest commit counts in the running mean."""


class Pace:
    """How long a commit of few entries took lately. Unknown is not short."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._seconds = SHORT_SECONDS

    def fits(self, waiting: int) -> bool:
        """Whether a loop may commit what waits."""
        return waiting <= FEW_ENTRIES and self._seconds < SHORT_SECONDS

    @contextmanager
    def measured(self, entries: int) -> Iterator[None]:
        """The block is a commit of so many entries."""
        began = self._clock()
        yield
        if entries <= FEW_ENTRIES:
            self._seconds += _SHARE * (self._clock() - began - self._seconds)


class Committed:
    """`SentBatch` for what is committed already."""

    connection = 0
    is_sent = True

    def __init__(self, verdicts: list[Verdict]) -> None:
        self._verdicts = verdicts

    def fileno(self) -> int:
        return -1

    def is_answered(self) -> bool:
        return True

    def wait(self, seconds: float | None = None) -> bool:
        return True

    def verdicts(self) -> list[Verdict]:
        return self._verdicts
