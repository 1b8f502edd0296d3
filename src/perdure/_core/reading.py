"""Reading a stream: from its rows what a reader gets, and whether something that he has got is void.

A row `rewound` makes void what earlier attempts of a step have written since some offset. It concerns who has got any
of that: by this reading, or before it, of which is only known where it ended. He goes back to that offset, and gets all
that stands from there on once more; so whatever was written by others in between need not be told apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

from msgspec import Struct

from .._entries import Stored
from .._streams import StreamRow, StreamSeen


class Chunk(Struct, frozen=True):
    """A piece of a stream. Who has got it goes on from `offset` + 1."""

    offset: int
    value: Any


class Rewound(Struct, frozen=True):
    """Forget what you have got of the stream from `offset` on: what stands comes again."""

    offset: int


class Loads(Protocol):
    """Reads values."""

    def load(self, stored: Stored) -> Any:
        """The value."""


class Reading:
    """One reader's way through a stream. `next` is the offset that he wants next; `is_over`: nothing more will come."""

    def __init__(self, serializer: Loads, offset: int, known_upto: int = 0) -> None:
        self._serializer = serializer
        self.next = offset
        self._known_upto = known_upto
        """All that he has from elsewhere he has got when the stream was so long already."""
        self.is_over = False
        self._is_closed = False
        self._known_before = offset
        """He has what is before this from elsewhere."""
        self._got: dict[tuple[str, str], int] = {}
        """The last offset that he has got here of each attempt, by its source and tag."""

    def items(self, seen: StreamSeen) -> Iterator[Chunk | Rewound]:
        """What he gets of these rows. After a `Rewound` nothing more: ask again."""
        for row in seen.rows:
            if row.kind == "rewound":
                if self.is_concerned(row):
                    yield self.go_back(row.since or 0)
                    return
                self.next = row.first + row.count
            elif row.kind == "closed":  # a `rewound` of the same commit may come after it
                self.next = row.first + row.count
                self._is_closed = True
            else:
                yield from self.chunks(row)
        self.is_over = seen.has_ended or (self._is_closed and seen.is_all)

    def chunks(self, row: StreamRow) -> Iterator[Chunk]:
        """Those of the row that he has not got."""
        texts = json.loads(row.body or "[]")
        for place in range(max(0, self.next - row.first), len(texts)):
            value = self._serializer.load(Stored(row.codec or "", texts[place]))
            self.next = row.first + place + 1
            self._got[row.source, row.tag] = row.first + place
            yield Chunk(row.first + place, value)

    def is_concerned(self, row: StreamRow) -> bool:
        """Whether he has got something that is void since."""
        since = row.since or 0
        if self._known_before > since and row.first >= self._known_upto:
            return True
        return any(
            source == row.source and tag != row.tag and last >= since for (source, tag), last in self._got.items()
        )

    def go_back(self, offset: int) -> Rewound:
        """Forget what came from there on."""
        self.next = offset
        self._is_closed = False
        self._known_before = min(self._known_before, offset)
        self._got = {key: last for key, last in self._got.items() if last < offset}
        return Rewound(offset)
