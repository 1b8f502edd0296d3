"""One branch watches several runs for their ends, however often it asks which is next: each is registered once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

from ..._entries import EndedRun
from ...typing import RunId
from ..hosting.host import may_have_ended
from ..hosting.threads.state import ThreadRun
from .awaited_ends import Ends, OnEnd


class Watching:
    """Of a sync run's branch. `calls` are the runs by the keys of the calls that wait for them."""

    def __init__(
        self, ends: Ends, run: ThreadRun, calls: Mapping[str, RunId], fetch: Callable[[RunId], EndedRun | None]
    ) -> None:
        self.found: deque[str] = deque()
        """The calls whose runs have ended, in this order; those that had before in the order of the calls."""
        self._ends = ends
        self._run = run
        self._fetch = fetch
        self._watchers: dict[str, tuple[RunId, OnEnd]] = {}
        for key, run_id in calls.items():
            self.add(key, run_id)

    def add(self, key: str, run_id: RunId) -> None:
        """Watch this one too. Called by the branch, which does not wait just now."""
        if may_have_ended(self._run, run_id) and self._has_ended(run_id):
            self.found.append(key)
        else:
            self._watch(key, run_id)

    def _has_ended(self, run_id: RunId) -> bool:
        return run_id in self._run.children.ended or self._fetch(run_id) is not None

    def _watch(self, key: str, run_id: RunId) -> None:
        children = self._run.children
        on_end = partial(self._note, key)
        self._watchers[key] = run_id, on_end
        self._ends.watch(run_id, on_end, parent=self._run if run_id in children else None)
        if run_id in children.ended:  # since we looked
            self._ends.forget(run_id, on_end)
            self._note(key)

    def _note(self, key: str, ended: EndedRun | None = None) -> None:
        """Called from any thread, twice perhaps."""
        state = self._run.state
        with state.changed:
            if self._watchers.pop(key, None) is not None:
                self.found.append(key)
                state.changed.notify_all()

    def close(self) -> None:
        """Watch no more. The garbage collector may call this, at any moment: it takes no lock."""
        watchers, self._watchers = self._watchers, {}
        self._ends.leaving.extend(watchers.values())
