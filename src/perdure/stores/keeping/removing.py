"""Which runs may be removed, in which portions. The same for both kinds of database, which answer the questions.

A run goes with all that it has made: the runs down the tree, and those that undo what they did. So it goes when all of
that has ended; by the rule for it, whatever there is for the others. It does not go while something unfinished needs
it: waits for it, has found it by a call, or is a fork of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...typing import RunId
from .protocol import Expiry, Removed

Ask = Callable[..., Sequence[Sequence[Any]]]
"""A named query with its parameters."""

LOOKED: Final = 500
"""So many runs of a function are looked at by one transaction."""
MEMBERS: Final = 1_000
"""So many runs are removed by one; of a larger family those first that have made nothing."""
ENUMERATED: Final = 20_000
"""So far a family is looked at."""
LEAST_SECONDS: Final = 60.0
"""So long every run is kept, however many there are: somebody may be about to ask for its outcome."""


class Removing:
    """One portion. `lock` gives those among runs that have ended and that nobody else takes meanwhile."""

    def __init__(self, ask: Ask, lock: Callable[[list[RunId]], list[RunId]]) -> None:
        self._ask = ask
        self._lock = lock

    def choose(self, expiry: Expiry, most: int) -> tuple[list[RunId], int | None]:
        """Which go now, and where to look on, if anywhere. `most`: so many families."""
        looked = self._ask("expired_of", **expiry._asdict(), least_seconds=LEAST_SECONDS, most=LOOKED)
        expired: list[tuple[int, RunId]] = []
        after: int | None = expiry.after
        for seq, run_id, has_expired, is_last in looked:
            if is_last:
                after = None
                break
            if has_expired and len(expired) == most:
                break
            if has_expired:
                expired.append((seq, run_id))
            after = seq
        else:
            after = after if len(looked) == LOOKED else None
        chosen, not_yet = self._families(expired)
        return chosen, after if not_yet is None else not_yet - 1

    def _families(self, expired: Sequence[tuple[int, RunId]]) -> tuple[list[RunId], int | None]:
        """The members of the families that go, and the first run that has to wait for the next portion."""
        families = self._members([run_id for _, run_id in expired])
        if sum(map(len, families.values())) >= ENUMERATED and len(expired) > 1:
            return self._families(expired[:1])[0], expired[1][0]
        chosen: list[list[RunId]] = []
        for place, (seq, root) in enumerate(expired):
            family = families.get(root, {})
            if len(family) > MEMBERS:
                if place:
                    return self._free(chosen), seq
                leaves = self._leaves(list(family))
                return leaves, seq if leaves else None
            if sum(map(len, chosen)) + len(family) > MEMBERS:
                return self._free(chosen), seq
            if family and all(family.values()):
                chosen.append(list(family))
        return self._free(chosen), None

    def _members(self, roots: list[RunId]) -> dict[RunId, dict[RunId, bool]]:
        families: dict[RunId, dict[RunId, bool]] = {}
        if roots:
            for root, member, has_ended in self._ask("families_of", run_ids=roots, most=ENUMERATED):
                families.setdefault(root, {})[member] = bool(has_ended)
        return families

    def _leaves(self, family: list[RunId]) -> list[RunId]:
        """Of a family that is too large for one portion: those that have made nothing, as long as nothing needs it."""
        if self._needed(family):
            return []
        leaves = [run_id for (run_id,) in self._ask("leaves_among", run_ids=family)]
        return self._lock(leaves[:MEMBERS])

    def _free(self, families: Sequence[list[RunId]]) -> list[RunId]:
        """The members of those that nothing needs and nobody else has locked."""
        everybody = [member for family in families for member in family]
        if not everybody:
            return []
        free = {*self._lock(everybody)} - self._needed(everybody)
        return [member for family in families if free.issuperset(family) for member in family]

    def _needed(self, run_ids: list[RunId]) -> set[RunId]:
        bodies = [json.dumps(run_id) for run_id in run_ids]
        needed = {run_id for (run_id,) in self._ask("needed_among", run_ids=run_ids)}
        return needed | {json.loads(body) for (body,) in self._ask("called_among", bodies=bodies)}


def removed(run_ids: Sequence[RunId], after: int | None) -> Removed:
    """The answer."""
    return Removed(len(run_ids), after)
