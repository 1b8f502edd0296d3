"""Who waits for which run's end, and how they learn of it.

Ends of runs that this process executes are published right after their commit. Runs of other processes are asked for
in one statement by the poller, however many are waited for.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice

from ..._core.children import Children
from ..._core.run import Run
from ..._entries import EndedRun
from ...stores.protocol import Runs
from ...typing import RunId

log = logging.getLogger("perdure")

OnEnd = Callable[[EndedRun], None]

ASK_AT_ONCE = 1000
KEPT_BYTES = 1 << 11
"""A child's larger output is read again when the parent asks, rather than kept in memory until then: a parent may have
tens of thousands of them.
"""
RECENT_ENDS = 16_384
RECENT_BYTES = 1024
"""So many ends with outputs of at most this length are remembered, for who asks for them after they were published; and
up to as many again, for they are forgotten so many at a time: a dict whose first is removed each time is slow.
"""


class Ends:
    """The register of waits. `find_run` gives the run that this process holds, by id."""

    def __init__(self, runs: Runs, find_run: Callable[[RunId], Run | None], call_poller: Callable[[], None]) -> None:
        self._runs = runs
        self._find_run = find_run
        self._call_poller = call_poller
        self._lock = threading.Lock()
        self._watchers: dict[RunId, list[OnEnd]] = {}
        self._outsiders: dict[RunId, list[OnEnd]] = {}
        """Those of the watchers that stand in no run: a run waits until a mend, people are told that it takes one."""
        self._parents: dict[RunId, Run] = {}
        """Who waits for a child of its own, by that child."""
        self._recent: dict[RunId, EndedRun] = {}
        self._earlier: dict[RunId, EndedRun] = {}
        self.leaving: deque[tuple[RunId, OnEnd]] = deque()
        """Who waits no more, and could take no lock to say so."""
        self._is_closed = False

    def watch(self, run_id: RunId, on_end: OnEnd, *, parent: Run | None = None, is_outside: bool = False) -> None:
        """Call `on_end` once, from any thread, when the run has ended; outside any run also when it waits for a mend.

        The database is asked at once unless the run is executed here, or is a child of the run that asks (`parent`):
        a parent is told of its children's ends whether it waits or not.
        """
        with self._lock:
            known = self.known(run_id)
            if known is None and self._is_closed:
                known = untold(run_id)
            if known is None:
                self._watchers.setdefault(run_id, []).append(on_end)
                if is_outside:
                    self._outsiders.setdefault(run_id, []).append(on_end)
                if parent is not None:
                    self._parents[run_id] = parent
        if known is not None:
            on_end(known)
        elif parent is None:
            run = self._find_run(run_id)
            if run is None or run.end is not None:  # else it will be published, and finds us
                self._call_poller()

    def known(self, run_id: RunId) -> EndedRun | None:
        """The end of a run that was published lately."""
        return self._recent.get(run_id) or self._earlier.get(run_id)

    def unlearn(self, run_ids: Collection[RunId]) -> None:
        """These may not have ended after all: they were started anew, or somebody says that they end now."""
        if not run_ids:
            return
        with self._lock:
            for run_id in run_ids:
                self._recent.pop(run_id, None)
                self._earlier.pop(run_id, None)

    def forget(self, run_id: RunId, on_end: OnEnd) -> None:
        """Stop waiting."""
        with self._lock:
            self._drop(run_id, on_end)

    def _drop(self, run_id: RunId, on_end: OnEnd) -> bool:
        """It waits no more, within the lock; whether it did."""
        watchers = self._watchers.get(run_id)
        if watchers is None or on_end not in watchers:
            return False
        watchers.remove(on_end)
        self._forget_outsider(run_id, on_end)
        if not watchers:
            del self._watchers[run_id]
            self._parents.pop(run_id, None)
        return True

    def _forget_outsider(self, run_id: RunId, on_end: OnEnd) -> None:
        outsiders = self._outsiders.get(run_id, [])
        if on_end in outsiders:
            outsiders.remove(on_end)
            if not outsiders:
                del self._outsiders[run_id]

    def publish(self, ended: EndedRun, parent_id: RunId | None) -> bool:
        """The run's end is committed: tell its parent, if it is here, and all who wait; whether anybody does."""
        parent = self._find_run(parent_id) if parent_id is not None else None
        if parent is not None:
            self.tell_parent(parent, ended)
        with self._lock:
            watchers = self._watchers.pop(ended.run_id, ())
            self._outsiders.pop(ended.run_id, None)
            self._parents.pop(ended.run_id, None)
            self._remember(ended)
        tell(watchers, ended)
        return bool(watchers)

    def recall(self, run_id: RunId) -> None:
        """The run ended some time ago: read its end now, for who is about to look at it."""
        for ended in self._runs.ended([run_id]):
            self.publish(ended, None)

    def _remember(self, ended: EndedRun) -> None:
        if ended.output is None or len(ended.output.text) <= RECENT_BYTES:
            self._recent[ended.run_id] = ended
            if len(self._recent) > RECENT_ENDS:
                self._earlier, self._recent = self._recent, {}

    @staticmethod
    def tell_parent(parent: Run, ended: EndedRun) -> None:
        """The parent knows this child's end from now on."""
        children = parent.children
        children.note_end(ended.run_id, ended.state)
        if ended.output is None or len(ended.output.text) <= KEPT_BYTES:
            children.ends[ended.run_id] = ended

    def poll(self) -> None:
        """Ask the database for the ends of runs that somebody waits for; a thousand at a time, the longest first.

        A run that waits for one child learns of those that it made next, as far as they have ended: it will ask for
        them next.
        """
        while self.leaving:
            self.forget(*self.leaving.popleft())
        if not self._watchers:
            return
        wanted, parents = self._waited_for()
        next_of = {parent.run_id: still_open(parent.children) for parent in parents.values()}
        while wanted or parents:
            parent_of = {
                child: parent for parent in parents.values() for child in islice(next_of[parent.run_id], ASK_AT_ONCE)
            }
            asked = list(dict.fromkeys([*wanted, *parent_of]))
            wanted, parents = [], {}
            for first in range(0, len(asked), ASK_AT_ONCE):
                for ended in self._runs.ended(asked[first : first + ASK_AT_ONCE]):
                    if (parent := parent_of.get(ended.run_id)) is not None:
                        self.tell_parent(parent, ended)
                        parents[parent.run_id] = parent
                    self.publish(ended, None)

    def poll_stuck(self) -> None:
        """Ask the database which of the runs that are waited for outside any run wait for a mend, and tell who waited
        before it was asked: who came later may have seen that the run goes on.
        """
        with self._lock:
            wanted = {run_id: tuple(outsiders) for run_id, outsiders in islice(self._outsiders.items(), ASK_AT_ONCE)}
            if len(self._outsiders) > ASK_AT_ONCE:  # others the next time
                for run_id in wanted:
                    self._outsiders[run_id] = self._outsiders.pop(run_id)
        for stuck in self._runs.stuck(list(wanted)) if wanted else ():
            with self._lock:
                outsiders = [on_end for on_end in wanted[stuck.run_id] if self._drop(stuck.run_id, on_end)]
            tell(outsiders, stuck)

    def _waited_for(self) -> tuple[list[RunId], dict[RunId, Run]]:
        """Some of the runs that are waited for, others each time, and who waits for a child of its own."""
        with self._lock:
            wanted = list(self._watchers)[:ASK_AT_ONCE]
            if len(self._watchers) > ASK_AT_ONCE:
                for run_id in wanted:
                    self._watchers[run_id] = self._watchers.pop(run_id)
            return wanted, {parent.run_id: parent for parent in self._parents.values()}

    def close(self) -> None:
        """Nobody will learn anything here any more: say so to all who wait."""
        with self._lock:
            watchers, self._watchers = self._watchers, {}
            self._outsiders.clear()
            self._is_closed = True
        for run_id, waiting in watchers.items():
            tell(waiting, untold(run_id))

    def abandon(self) -> None:
        """In a forked child: another thread of the parent may have been in the lock, and nobody waits here."""
        self._lock = threading.Lock()
        self._watchers.clear()
        self._outsiders.clear()
        self._parents.clear()
        self._is_closed = True

    @property
    def is_waited_for(self) -> bool:
        """Whether anybody waits."""
        return bool(self._watchers)

    def look_back(self, run_id: RunId, *, has_ended: bool) -> None:
        """Somebody is about to look at this run: what is remembered of it is what the database says."""
        if has_ended:
            self.recall(run_id)
        else:
            self.unlearn([run_id])  # it had ended perhaps, and was started anew since

    def are_news(self, run_ids: frozenset[RunId]) -> bool:
        """Others say that these have ended, or began anew: forget what was known of them. Whether anybody waits."""
        self.unlearn(run_ids)
        return self.waits_for_any(run_ids)

    def waits_for_any(self, run_ids: frozenset[RunId]) -> bool:
        """Whether anybody waits for one of them."""
        return any(run_id in self._watchers for run_id in run_ids)


def still_open(children: Children) -> Iterator[RunId]:
    """Those that are open now, in their order, but for what ends until it is their turn."""
    return (child for child in list(children.open) if child in children.open)


def tell(watchers: Iterable[OnEnd], ended: EndedRun) -> None:
    """Tell all of them. What goes wrong with one must not keep the others waiting."""
    for on_end in watchers:
        try:
            on_end(ended)
        except Exception:
            log.exception("the end of run %s could not be told", ended.run_id)


def untold(run_id: RunId) -> EndedRun:
    """What those get who wait for a run when this process shuts down, or later."""
    return EndedRun(
        run_id, "ready", None, "perdure has shut down here. The run goes on at the next start: perdure.handle(run_id)"
    )
