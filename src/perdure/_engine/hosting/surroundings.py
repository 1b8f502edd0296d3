"""What a host asks on behalf of its runs: the parts of the instance that it is handed."""

from __future__ import annotations

from dataclasses import dataclass

from ..._core.run import Run
from ...typing import RunId
from ..claiming.claims import Claims
from ..claiming.held_runs import Held
from ..claiming.room import Room
from ..claiming.starts import Starts
from ..journal.journal import Journal
from ..listeners import Listeners
from ..membership.worker import Worker
from ..news import News
from ..options import Options
from ..told import Told
from ..watching.arrivals import Arrivals
from ..watching.awaited_ends import Ends
from .replays import Replays
from .threads.pool import Threads
from .together import Together


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The same for the host of sync runs, of async ones, and of what is inline."""

    instance: object
    """Whose runs these are: for the surface, which asks a run's host."""
    options: Options
    journal: Journal
    worker: Worker
    held: Held
    room: Room
    claims: Claims
    told: Told
    starts: Starts
    ends: Ends
    arrivals: Arrivals
    histories: Together[RunId]
    ends_ahead: Together[tuple[Run, RunId]]
    replays: Replays
    threads: Threads
    listeners: Listeners
    news: News
