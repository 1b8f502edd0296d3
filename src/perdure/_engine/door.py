"""The door to a database: what handles and questions need of whoever opened it, a working runtime or a mere client."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

from .._core.definitions import Definitions
from .._core.serialization import Serializer
from .._entries import MessageSent, RunCreated, Verdict
from ..stores.protocol import Store
from ..typing import RunId
from .cancels import Cancels
from .hosting.asyncio.wakeups import Wakes
from .hosting.threads.pool import Threads
from .steering import Steers
from .told import Told
from .watching.awaited_ends import Ends
from .watching.following import Following
from .watching.uncollected import Uncollected


class Executes(Protocol):
    """Knows what this process executes."""

    def is_within(self, run_id: RunId, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the run, or one that it has started, is executed on this loop."""


class Door(Protocol):
    """See the module."""

    loop: asyncio.AbstractEventLoop | None

    @property
    def store(self) -> Store:
        """The rows."""

    @property
    def definitions(self) -> Definitions:
        """The functions that this process knows."""

    @property
    def serializer(self) -> Serializer:
        """Reads and writes values."""

    @property
    def ends(self) -> Ends:
        """Who waits for which run's end."""

    @property
    def following(self) -> Following:
        """Who follows what runs say."""

    @property
    def uncollected(self) -> Uncollected:
        """Which runs somebody has a handle of."""

    @property
    def wakes(self) -> Wakes:
        """Wakes who waits on an event loop."""

    @property
    def threads(self) -> Threads:
        """For callbacks."""

    @property
    def told(self) -> Told:
        """Tells whom it may concern of what was done."""

    @property
    def cancels(self) -> Cancels:
        """Ends runs."""

    @property
    def steering(self) -> Steers:
        """Pauses runs, starts them anew, and the like."""

    @property
    def execution(self) -> Executes:
        """What is executed here, if anything is."""

    def make(self, entries: Sequence[RunCreated | MessageSent]) -> list[Verdict]:
        """Runs of an outsider, or messages, durable, and whoever executes them is told. Blocks until that is known."""

    def say_ready(self, queues: Collection[str]) -> None:
        """There may be runs in these queues that others have committed. From any thread; nobody waits for it."""

    def check_owner(self) -> None:
        """Raise `ForkedError` in a forked child of the process that opened this."""

    def open(self, *, writes: bool = False) -> None:
        """Make sure that the database is what this release reads, or writes. Raises `StoreError`."""

    def check_open(self) -> None:
        """Raise where nothing can be asked here any more."""
