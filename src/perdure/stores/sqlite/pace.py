"""How much an event loop may commit by itself, and what it has then.

Handing a commit to another thread and waking the loop again costs as much as half a commit on a fast disk, and both
threads want the interpreter's lock for most of it. On a slow disk, or while others write, a loop must not stand still.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..._entries import Verdict

SHORT_SECONDS: Final = 0.005
"""What a loop may stand still: about as long as the interpreter lets one thread go on before another."""
_WORTH: Final = 0.5
"""The part of it that must be left for entries, where they are more than fit."""
_SHARE: Final = 0.2
"""How much the latest commit counts in the running means."""


class Pace:
    """How long commits took lately: a part for each, and one for each entry. Unknown is not short."""

    def __init__(self) -> None:
        self._fixed = SHORT_SECONDS
        self._each = 0.0

    def slice_of(self, waiting: int) -> int:
        """How many of the entries that wait a loop may commit now: what will probably take no longer than it may stand
        still. None where that is not worth it, since most of that time goes by whatever their number.
        """
        room = SHORT_SECONDS - self._fixed
        if room > waiting * self._each:
            return waiting
        return int(room / self._each) if room > SHORT_SECONDS * _WORTH else 0

    @contextmanager
    def measured(self, entries: int) -> Iterator[None]:
        """The block is a commit of so many entries."""
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        if entries < 8:
            self._fixed += _SHARE * (seconds - self._fixed)
        else:
            self._each += _SHARE * (max(0.0, seconds - self._fixed) / entries - self._each)


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
