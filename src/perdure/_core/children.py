"""The runs that one run has made, as far as the claim that executes it knows them.

Several threads use this at once: each change is a single operation of a dict or a set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from .._entries import ChildRow, EndedRun
from ..typing import TERMINAL, RunId, RunState


class Children(Struct, eq=False, frozen=True):
    """Those whose row names the run as its parent: a start with an id of the caller's may find somebody else's."""

    recorded: dict[str, ChildRow] = {}
    """Those of earlier claims, by the key of the call that made them."""
    asked: set[str] = set()
    """The keys of those that this claim has asked for again."""
    open: dict[RunId, None] = {}
    """Those whose end is not known, in the order in which they were made."""
    ended: set[RunId] = set()
    """Those whose end is known: what a park says it has seen."""
    ends: dict[RunId, EndedRun] = {}
    """Ends that are at hand, and not yet handed over."""

    unseen: set[RunId] = set()
    """Those that have failed, as far as the run has not asked for their outcome."""

    def recall(self, rows: Iterable[ChildRow], calls: Mapping[str, ChildRow], *, is_first_life: bool) -> None:
        """Take in those that earlier claims have made, and what their calls have recorded. A row that no call names is
        a child of a former life of the run: whoever counts ended children counts it, too.
        """
        for child in rows:
            call = calls.get(child.parent_key)
            is_own = is_first_life if call is None else call.run_id == child.run_id
            if is_own:
                self.recorded[child.parent_key] = child
            if child.state in TERMINAL:
                self.ended.add(child.run_id)
                if is_own and child.state == "failed":
                    self.unseen.add(child.run_id)
            elif is_own:
                self.open[child.run_id] = None
        for key, call in calls.items():
            self.recorded.setdefault(key, call)

    def note_end(self, run_id: RunId, state: RunState) -> None:
        """This one has ended. At no moment it is in neither place."""
        if state == "failed":
            self.unseen.add(run_id)
        self.ended.add(run_id)
        self.open.pop(run_id, None)

    def take_end(self, run_id: RunId) -> EndedRun | None:
        """Its end, if that is at hand: to be handed over now."""
        return self.ends.pop(run_id, None) if self.ends else None

    def __contains__(self, run_id: RunId) -> bool:
        return run_id in self.open or run_id in self.ended


_NONE: Any = MappingProxyType({})
NO_CHILDREN: Final = Children(_NONE, frozenset(), _NONE, frozenset(), _NONE, frozenset())  # type: ignore[arg-type]  # read only
"""Of all runs that can have none so far, which are many: fresh ones, before they make their first."""
