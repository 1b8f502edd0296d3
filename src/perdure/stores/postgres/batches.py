"""A batch of entries on its way to the server and back: one JSON section per kind, and the verdicts.

JSON rather than one array per column: msgspec encodes an entry in about a microsecond, while the driver's own lists
cost 8 µs per entry (15 ms against 2 ms for 1,000 entries); on the server both take the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ..._entries import (
    Accepted,
    Entry,
    Existed,
    Refused,
    RunCreated,
    RunFinished,
    RunParked,
    RunReleased,
    StepRecorded,
    Verdict,
)
from ...typing import RunState

_encode = msgspec.json.Encoder().encode
_ACCEPTED = Accepted()


class Batch:
    """Entries by section: what is created, what is recorded, which claims end. `kinds` has a letter for each entry."""

    __slots__ = ("created", "ended", "entries", "kinds", "recorded")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.created: list[RunCreated] = []
        self.recorded: list[StepRecorded] = []
        self.ended: list[RunFinished | RunParked | RunReleased] = []
        letters: list[str] = []
        for entry in entries:
            if isinstance(entry, StepRecorded):
                letters.append("s")
                self.recorded.append(entry)
            elif isinstance(entry, RunCreated):
                letters.append("c")
                self.created.append(entry)
            else:
                letters.append("f" if isinstance(entry, RunFinished) else "p" if isinstance(entry, RunParked) else "r")
                self.ended.append(entry)
        self.kinds = "".join(letters)

    def parameters(self, worker_id: str, expected: int) -> list[bytes | None]:
        """For `apply_batch`. Raises `UnicodeError` for a text that has no UTF-8."""
        return [
            worker_id.encode(),
            b"%d" % expected,
            _section(self.created),
            _section(self.recorded),
            _section(self.ended),
            self.kinds.encode(),
        ]

    def verdicts(self, answer: bytes) -> list[Verdict]:
        """One verdict per entry, from the exceptions that `apply_batch` has told."""
        verdicts: list[Verdict] = [_accepted(entry) for entry in self.entries]
        if not answer:
            return verdicts
        places: dict[str, list[int]] = {"c": [], "s": [], "e": []}
        for place, letter in enumerate(self.kinds):
            places[letter if letter in "cs" else "e"].append(place)
        for section, number, what, *details in msgspec.json.decode(answer):
            verdicts[places[section][number - 1]] = _exception(what, details)
        return verdicts


def _section(entries: Sequence[Entry]) -> bytes | None:
    return _encode(entries) if entries else None


def _accepted(entry: Entry) -> Verdict:
    if isinstance(entry, StepRecorded | RunCreated):
        return _ACCEPTED
    return Accepted(_state(entry))


def _state(entry: RunFinished | RunParked | RunReleased) -> RunState:
    if isinstance(entry, RunFinished):
        return entry.state
    return "parked" if isinstance(entry, RunParked) else "ready"


def _exception(what: str, details: list[object]) -> Verdict:
    if what == "existed":
        return Existed(*details)  # type: ignore[arg-type]  # name, fingerprint and state, as the SQL lists them
    if what == "state":
        return Accepted(*details)  # type: ignore[arg-type]  # the state alone
    return Refused(str(details[0]))


def text_array(values: Iterable[str]) -> str:
    """Strings as one array parameter; several times faster than the driver's own way with lists."""
    quoted = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(quoted) + '"}' if quoted else "{}"
