"""The ends of the runs that others wait for, and ahead of that what they will ask for next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile, islice

from ..._core.children import Children
from ..._core.run import Run
from ..._entries import EndedRun
from ...stores.protocol import NothingDone, Runs
from ...typing import RunId

AHEAD_BYTES = 4 << 20
"""How much of the children's outputs is read at once, ahead of what their parents ask for."""
MOST_AHEAD = 250


class EndsAhead:
    """Reads them."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._most = MOST_AHEAD

    def read(self, asked: list[tuple[Run, RunId]]) -> list[EndedRun | None]:
        """For each run that asks, the end of the other; None if that has not ended. Children that it will ask for next,
        as far as they are known to have ended, get theirs at hand.
        """
        most = max(1, self._most // len(asked))
        ahead = {
            sibling: run for run, run_id in asked for sibling in islice(ended_after(run.children, run_id), most - 1)
        }
        wanted = list(dict.fromkeys([*(run_id for _, run_id in asked), *ahead]))
        try:
            found = {ended.run_id: ended for ended in self._runs.ended(wanted)}
        except NothingDone:
            if not ahead:
                raise
            self._most = 1  # they are too large to be read together
            return self.read(asked)
        for run_id in ahead.keys() & found.keys():
            ahead[run_id].children.ends[run_id] = found[run_id]  # whatever its size: it would only be read again
        size = sum(len(ended.output.text) for ended in found.values() if ended.output is not None)
        self._most = min(MOST_AHEAD, AHEAD_BYTES * len(wanted) // max(size, 1) + 1)
        return [found.get(run_id) for _, run_id in asked]


def ended_after(children: Children, run_id: RunId) -> Iterator[RunId]:
    """Those that a run has made after this one, and that have ended."""
    made = dropwhile(lambda child: child.run_id != run_id, children.recorded.values())
    return (child.run_id for child in made if child.run_id != run_id and child.run_id in children.ended)
