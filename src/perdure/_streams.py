"""Streams in words: what a run hands out piece by piece, on its way to the database, and as it is read back."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .typing import TERMINAL, RunId, RunState


class StreamWritten(Struct, gc=False):
    """Chunks of a stream, `texts`, which were written by one source after the other and share a row; or that the stream
    is closed. `source`: a branch of the workflow, or the call of a step and which attempt of it.
    """

    run_id: RunId
    claim: str
    entry_id: str
    name: str
    source: str
    attempt: int
    codec: str
    texts: list[str]
    is_closed: bool = False


class StreamRewound(Struct, gc=False):
    """A new attempt of a step begins: what those before have written, to whichever stream, is void."""

    run_id: RunId
    claim: str
    entry_id: str
    source: str
    attempt: int


class StreamRow(Struct, gc=False):
    """A row of a stream. `tag`: which attempt of its source, under which claim."""

    first: int
    count: int
    kind: Literal["chunks", "rewound", "closed"]
    source: str
    tag: str
    since: int | None
    codec: str | None
    body: str | None


class StreamSeen(Struct, gc=False):
    """The next rows of a stream, in order, and the run's state, if there is such a run. `is_all`: there are no more."""

    state: RunState | None
    rows: list[StreamRow]
    is_all: bool

    @property
    def has_ended(self) -> bool:
        """Whether nothing will come any more: so the run's state was seen."""
        return self.is_all and (self.state is None or self.state in TERMINAL)
