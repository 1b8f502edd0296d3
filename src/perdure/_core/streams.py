"""What the claim of a run knows of the streams that it writes to.

Offsets are the database's to give. What the workflow itself writes needs no record of its own: the chunks are one. Each
branch writes its own in an order that follows from the code, so that of those it has written to a stream the first so
many are there, and a replay writes the rest.
"""

from __future__ import annotations

from typing import Final

from .._entries import Checkpoint

BRANCH: Final = "*"
"""Ends the source of what the workflow's own code writes, after the path of the branch."""
ALONE: Final = "."
"""The source of a step that is a run by itself."""


class Streams:
    """Of one claim. `closed` are the names of those to which nothing more may be written."""

    __slots__ = ("_begun", "_recorded", "closed")

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self._recorded: dict[tuple[str, str], int] = {}
        """By stream and source: what is there and was not come to yet."""
        self._begun: set[str] = set()
        """The calls of steps of which attempts have written."""

    def recall(self, row: Checkpoint, count: int) -> None:
        """A source has written so many chunks to a stream, in earlier claims; an error: and has closed it."""
        if row.is_error:
            self.closed.add(row.name)
        if row.key.endswith(BRANCH):
            self._recorded[row.name, row.key] = count
        else:
            self._begun.add(row.key)

    def is_written(self, name: str, source: str) -> bool:
        """Whether the branch's next chunk for this stream is there already: then it has been come to."""
        left = self._recorded.get((name, source), 0)
        if left:
            self._recorded[name, source] = left - 1
        return left > 0

    def note(self, source: str) -> None:
        """An attempt of this call writes."""
        self._begun.add(source)

    def begins_anew(self, source: str) -> bool:
        """Another attempt of this call begins: whether those before it have written."""
        if source in self._begun:
            self._begun.discard(source)
            return True
        return False


def source_of_step(key: str) -> str:
    """What the step of this call writes as."""
    return key or ALONE


def source_of_branch(path: str) -> str:
    """What a branch of the workflow writes as."""
    return path + BRANCH
