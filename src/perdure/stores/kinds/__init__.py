"""The kinds of entries, in the order in which a batch is written: what a run makes comes before its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ..._entries import Entry, Verdict
from .attributes import ATTRIBUTES
from .continued import CONTINUED
from .created import CREATED
from .debounced import DEBOUNCED
from .event_set import EVENT_SET
from .finished import FINISHED
from .given import GIVEN
from .hooks import OPENED, RESOLVED, TIMED_OUT
from .kind import Kind as Kind
from .kind import Sections
from .lives import lives_in
from .parked import PARKED
from .progressed import PROGRESSED
from .received import RECEIVED
from .recorded import RECORDED
from .released import RELEASED
from .saved import SAVED
from .sent import SENT
from .streams import REWOUND, WRITTEN
from .updates import ANSWERED, TURNED_DOWN

KINDS: Final = (
    CREATED,
    DEBOUNCED,
    RECORDED,
    SAVED,
    PROGRESSED,
    ATTRIBUTES,
    RECEIVED,
    OPENED,  # the token of a hook is free when its answer is received
    TIMED_OUT,
    ANSWERED,
    TURNED_DOWN,
    EVENT_SET,
    WRITTEN,
    REWOUND,
    SENT,
    RESOLVED,
    GIVEN,
    FINISHED,
    CONTINUED,
    PARKED,
    RELEASED,
)


class Kinds:
    """Those that a store writes; sorts entries by them."""

    def __init__(self, kinds: Iterable[Kind] = KINDS) -> None:
        self.all = tuple(kinds)
        self.sections = tuple(name for kind in self.all for name in (kind.name, *kind.folds))
        """The names of all sections, in their order."""
        self.ending = tuple(kind.name for kind in self.all if kind.ends_claim)
        self._by_struct = {kind.struct: kind for kind in self.all}

    def of(self, entry: Entry) -> Kind:
        """The entry's kind."""
        return self._by_struct[type(entry)]

    def sort(self, entries: Sequence[Entry], *, folds_lives: bool = True) -> Sections:
        """The entries by section. With `folds_lives` a run whose creation and end are both in here is one row."""
        by_struct = self._by_struct
        found: dict[str, list[Any]] = {}
        for entry in entries:
            name = by_struct[type(entry)].name
            if name in found:
                found[name].append(entry)
            else:
                found[name] = [entry]
        if "created" in found:
            if named := [entry for entry in found["created"] if entry.attributes is not None]:
                found["attributed"] = named
            if folds_lives and "finished" in found:
                _fold_lives(found)
        if len(found) == 1:
            return found
        return {name: found[name] for name in self.sections if found.get(name)}

    def accepted(self, entries: Sequence[Entry]) -> list[Verdict]:
        """The verdicts where all of them were written."""
        by_struct = self._by_struct
        return [by_struct[type(entry)].accepted(entry) for entry in entries]

    def are_open(self, entries: Sequence[Entry]) -> bool:
        """Whether what becomes of one of them is the database's to say."""
        by_struct = self._by_struct
        return any((kind := by_struct[type(entry)]).tell is not None or kind.is_open(entry) for entry in entries)


def _fold_lives(found: dict[str, list[Any]]) -> None:
    used = [entry for name, entries in found.items() if name not in ("created", "finished") for entry in entries]
    lives = lives_in(found["created"], used, found["finished"])
    if lives:
        found["created"] = [entry for entry in found["created"] if entry.held_as not in lives]
        found["finished"] = [entry for entry in found["finished"] if entry.claim not in lives]
        found["lived"] = list(lives.values())
