"""Who is told of what was done from outside: the runs here, who waits here, and the other processes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from .._entries import MessageSent, RunCreated
from ..typing import RunId
from .claiming.held_runs import Held
from .news import News
from .watching.awaited_ends import Ends


class Say(Protocol):
    """The way to the other processes: soon, and nobody waits for it."""

    def __call__(self, queues: Collection[str] = (), *, ended: Collection[RunId] = (), is_vague: bool = False) -> None:
        """There are runs in these queues; who knows how these have ended is to ask again; or something has changed."""


class Told:
    """One for each door to a database; from any thread. A client holds no runs, and nobody listens to its news."""

    def __init__(self, *, held: Held, ends: Ends, say: Say, news: News) -> None:
        self._held = held
        self._ends = ends
        self._say = say
        self._news = news

    def made(self, entries: Iterable[RunCreated | MessageSent]) -> None:
        """These runs and messages are durable: whoever executes them looks."""
        self._news.backlog()
        queues = {entry.queue for entry in entries if isinstance(entry, RunCreated)}
        self._say(queues, is_vague=any(isinstance(entry, MessageSent) for entry in entries))

    def limits(self, queues: Collection[str]) -> None:
        """What is set for these queues has changed: all that work on them look now."""
        self._say(queues, is_vague=True)
        self._news.look()

    def asked(self) -> None:
        """Somebody here asks a run something: who can answer looks now, and not with the next poll."""
        self._say(is_vague=True)

    def elsewhere(self, run_ids: Iterable[RunId]) -> None:
        """These runs were told something: who else holds them looks now, and not with the next poll."""
        if any(run_id not in self._held.active for run_id in run_ids):
            self._say(is_vague=True)

    def cancelled(self, run_ids: Iterable[RunId]) -> None:
        """These have cancels, as the answer to a batch says, too: those that are here are interrupted."""
        for run_id in run_ids:
            run = self._held.note_cancel(run_id)
            if run is None or run.is_cancelled:
                continue
            run.is_cancelled = True
            if run.interrupt("cancelled"):
                run.host.interrupt(run)

    def paused(self, run_ids: Iterable[RunId]) -> None:
        """These are to stop: those that are here are interrupted."""
        for run_id in run_ids:
            run = self._held.active.get(run_id)
            if run is not None and run.interrupt("paused"):
                run.host.interrupt(run)

    def deleted(self, run_ids: Sequence[RunId]) -> None:
        """Their ids are free: what was known of their ends is not that of a run that is made under one of them."""
        if run_ids:
            self._ends.unlearn(run_ids)
            self._say(ended=run_ids)

    def ready(self, run_ids: Sequence[RunId]) -> None:
        """These were steered, and go on, or begin anew."""
        self._ends.unlearn(run_ids)
        self._say(ended=run_ids, is_vague=True)
        self._news.look()
        self._news.backlog()
