"""The histories of recovered runs."""

from __future__ import annotations

from collections.abc import Callable

from ..._entries import HistoryRows
from ...stores.protocol import Runs
from ...typing import TERMINAL, RunId


class Histories:
    """Reads them. `on_unfinished` is told of children that have not ended."""

    def __init__(self, runs: Runs, on_unfinished: Callable[[list[RunId]], None] = lambda run_ids: None) -> None:
        self._runs = runs
        self._on_unfinished = on_unfinished

    def read(self, run_ids: list[RunId]) -> list[HistoryRows]:
        """Of these runs, in their order."""
        histories = self._runs.histories(run_ids)
        children = [child.run_id for rows in histories for child in rows.children if child.state not in TERMINAL]
        self._on_unfinished(children)  # one that was started anew may be remembered here as ended
        return histories
