"""Fresh ids: UUIDs of version 7, by the time and at random (RFC 9562), with 256 ns of the clock in place of `rand_a`:
those of the millisecond's first id, for to write them anew for each would be half of its cost.

Ids that follow each other lie beside each other in the database's indexes. At random each falls on a page of its own,
which is to be read, written to the log as a whole, and written: twice the cost of a batch.
The random half is drawn from the system many at a time: one at a time costs 7 µs, more than the rest of a run's
creation. A forked child throws the store away: its ids must not be its parent's.
"""

from __future__ import annotations

import os
import time
from collections import deque

from .._core.flows.child import VARIANTS

_DRAWN_AT_ONCE = 256
_DIGITS = 16
_drawn: deque[str] = deque()
_moment = (0, 0, "")
"""Since when, until when and how ids begin: written as one, since several threads draw."""


def fresh_id() -> str:
    """A UUID that nobody had before. From any thread: `deque` methods are atomic."""
    try:
        end = _drawn.pop()
    except IndexError:
        end = _draw()
    now = time.time_ns()
    since, until, begin = _moment
    return (begin if since <= now < until else _begin(now)) + end


def _begin(now: int) -> str:
    """The first half of the ids from now (nanoseconds since the epoch) to the end of this millisecond."""
    global _moment
    milliseconds, rest = divmod(now, 1_000_000)
    digits = f"{milliseconds << 12 | rest >> 8:015x}"
    begin = f"{digits[:8]}-{digits[8:12]}-7{digits[12:]}-"
    _moment = now, now - rest + 1_000_000, begin
    return begin


def _draw() -> str:
    digits = os.urandom(_DIGITS // 2 * _DRAWN_AT_ONCE).hex()
    drawn = [digits[at : at + _DIGITS] for at in range(0, len(digits), _DIGITS)]
    first, *others = [f"{VARIANTS[end[0]]}{end[1:4]}-{end[4:]}" for end in drawn]
    _drawn.extend(others)
    return first


os.register_at_fork(after_in_child=_drawn.clear)
