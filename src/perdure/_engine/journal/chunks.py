"""Chunks of a stream on their way to the journal: those that wait for the same commit share an entry."""

from __future__ import annotations

from typing import Final

from ..._entries import Entry, entry_bytes
from ..._streams import StreamWritten
from .lanes import OnVerdict, Pending

MOST_CHUNKS: Final = 1000
MOST_BYTES: Final = 1 << 16
"""Of one row: who reads one chunk reads it whole."""


class PendingChunks(Pending):
    """An entry with chunks; more join it until it is sent."""

    entry: StreamWritten
    is_sealed: bool = False

    @classmethod
    def of(cls, entry: StreamWritten, on_verdict: OnVerdict) -> PendingChunks:
        """One that has just been written."""
        return cls(entry, on_verdict, entry_bytes(entry))

    def absorb(self, other: Pending) -> bool:
        if self.is_sealed or not isinstance(other, PendingChunks):
            return False
        mine, its = self.entry, other.entry
        if (mine.name, mine.source, mine.attempt, mine.codec) != (its.name, its.source, its.attempt, its.codec):
            return False
        if mine.is_closed or its.is_closed or len(mine.texts) >= MOST_CHUNKS or self.size + other.size > MOST_BYTES:
            return False
        mine.texts += its.texts
        self.size += sum(map(len, its.texts))
        return True

    def seal(self) -> Entry:
        self.is_sealed = True  # sent again after a lost reply, it must be the same
        return self.entry
