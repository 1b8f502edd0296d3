"""The histories of recovered runs, read together: who asks while others are being read is served by the next read."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..._core.flow import Outcome
from ..._entries import HistoryRows
from ...errors import StoreRefusedError, StoreUnavailableError
from ...stores.protocol import Runs
from ...typing import TERMINAL, RunId
from ..trouble import Trouble, until_answered
from .threads.pool import Threads

MOST_AT_ONCE = 100

OnRead = Callable[[Outcome], None]


class Histories:
    """Reads on one thread of ours at a time. `on_unfinished` is told of children that have not ended."""

    def __init__(
        self,
        runs: Runs,
        threads: Threads,
        is_stopping: Callable[[], bool],
        on_unfinished: Callable[[list[RunId]], None] = lambda run_ids: None,
    ) -> None:
        self._on_unfinished = on_unfinished
        self._runs = runs
        self._threads = threads
        self._is_stopping = is_stopping
        self._trouble = Trouble("the histories of runs cannot be read")
        self._lock = threading.Lock()
        self._wanted: list[tuple[RunId, OnRead]] = []
        self._is_reading = False

    def ask(self, run_id: RunId, on_read: OnRead) -> bool:
        """Call `on_read` with the run's `HistoryRows`, or the error, from another thread. False where no thread can be
        had any more: the interpreter ends.
        """
        with self._lock:
            self._wanted.append((run_id, on_read))
            if self._is_reading:
                return True
            self._is_reading = True
        if self._threads.run(self._read):
            return True
        with self._lock:
            self._is_reading = False
        return False

    def _read(self) -> None:
        while True:
            with self._lock:
                wanted, self._wanted = self._wanted[:MOST_AT_ONCE], self._wanted[MOST_AT_ONCE:]
                if not wanted:
                    self._is_reading = False
                    return
            for (_, on_read), outcome in zip(wanted, self._load([run_id for run_id, _ in wanted]), strict=True):
                on_read(outcome)

    def _load(self, run_ids: list[RunId]) -> list[Outcome]:
        try:
            return [Outcome(rows) for rows in self._ask(run_ids)]
        except Exception as error:  # the rows of one of them, perhaps: it must not keep the others
            if self._is_stopping():
                return [Outcome(error=error)] * len(run_ids)
            if len(run_ids) == 1:
                return [Outcome(error=unread(error))]
            return [outcome for run_id in run_ids for outcome in self._load([run_id])]

    def _ask(self, run_ids: list[RunId]) -> list[HistoryRows]:
        histories = until_answered(lambda: self._runs.histories(run_ids), self._trouble, self._is_stopping)
        children = [child.run_id for rows in histories for child in rows.children if child.state not in TERMINAL]
        self._on_unfinished(children)  # one that was started anew may be remembered here as ended
        return histories


def unread(error: Exception) -> Exception:
    """Of a history that cannot be read, whoever asks and however often: that is no outage of the store."""
    if not isinstance(error, StoreUnavailableError):
        return error
    refusal = StoreRefusedError(str(error))
    refusal.__cause__ = error
    return refusal
