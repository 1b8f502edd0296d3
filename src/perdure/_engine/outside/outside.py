"""`Outside`: the door of a client. It has no row among the workers, claims nothing, and executes nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Sequence

from ..._core.definitions import Definitions
from ..._core.serialization import Serializer
from ..._entries import MessageSent, RunCreated, Verdict
from ...errors import ForkedError, UsageError
from ...stores.protocol import Store
from ...typing import RunId
from ..cancels import Cancels
from ..claiming.held_runs import Held
from ..hosting.asyncio.wakeups import Wakes
from ..hosting.threads.pool import Threads
from ..news import News
from ..options import Options
from ..steering import Steers
from ..told import Told
from ..watching.awaited_ends import Ends
from ..watching.following import Following
from ..watching.uncollected import Uncollected
from .creations import Creations
from .end_watch import EndWatch
from .telling import Telling

CLOSING_SECONDS = 1.0
"""How long the end of a client waits for its last hint."""


class Outside:
    """See the module; it is a `Door`. `is_maker`: bring the schema up to date, as a worker does, before anything else;
    otherwise a database without the schema of this release is refused.
    """

    loop: asyncio.AbstractEventLoop | None = None
    """Nothing is executed on any loop here."""

    def __init__(
        self, store: Store, options: Options, definitions: Definitions, *, patience_seconds: float, is_maker: bool
    ) -> None:
        self.store = store
        self.definitions = definitions
        self.serializer = Serializer(
            definitions.types, options.codec, max_bytes=options.max_value_bytes, readable=options.readable
        )
        self.wakes = Wakes()
        self.threads = Threads("perdure-client")
        self.uncollected = Uncollected(store.runs, self.serializer)
        self._session = store.session()
        self.following = Following(self._begin_to_hear)
        self._watch = EndWatch(lambda: self.ends, self._session, options.poll_seconds, self.following.heed)
        self.ends = Ends(store.runs, lambda run_id: None, self._watch.call)
        self._telling = Telling(self._session, self.threads.run)
        self.told = Told(held=Held(), ends=self.ends, say=self._telling.say, news=News())
        self.cancels = Cancels(store, self.ends, self.told, lambda: self.open(writes=True))
        self.steering = Steers(store, self.serializer, self.told, lambda: self.open(writes=True))
        self._creations = Creations(store, self.told.made, patience_seconds)
        self._is_maker = is_maker
        self._opening = threading.Lock()
        self._may_read = self._may_write = self._is_forked = self._is_closed = False

    def _begin_to_hear(self) -> None:
        self._watch.call()

    @property
    def execution(self) -> Outside:
        """Who knows what is executed here."""
        return self

    def is_within(self, run_id: RunId, loop: asyncio.AbstractEventLoop) -> bool:
        """Nothing is."""
        return False

    def open(self, *, writes: bool = False) -> None:
        """Make sure that the database is what this release reads, or writes; asked once. Raises `StoreError`."""
        self.check_open()
        if self._may_write if writes else self._may_read:
            return
        with self._opening:
            if self._is_maker:
                self.store.migrate()
                self._may_read = self._may_write = True
                return
            if not self._may_read:
                self.store.check()
                self._may_read = True
            if writes:
                self.store.migrate()  # the functions of this release may be missing; the tables are not
                self._may_write = True

    def make(self, entries: Sequence[RunCreated | MessageSent]) -> list[Verdict]:
        """The runs, and answers to hooks, durable."""
        self.open(writes=True)
        return self._creations.make(entries)

    async def amake(self, entries: Sequence[RunCreated | MessageSent]) -> list[Verdict]:
        """The same from an event loop, which goes on meanwhile; at most a thousand."""
        if not self._may_write:
            await asyncio.to_thread(self.open, writes=True)
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[None] = loop.create_future()
        submission = self._creations.hand_in(entries, lambda: self.wakes.wake(loop, settled))
        if not self.threads.run(self._creations.commit_all):
            await asyncio.to_thread(self._creations.commit_all)
        await settled
        return submission.outcome()

    def say_ready(self, queues: Collection[str]) -> None:
        """Somebody else has made runs in these queues."""
        if not self._is_closed:
            self._telling.say(queues)

    def check_owner(self) -> None:
        """Raise `ForkedError` in a forked child of the process that opened this."""
        if self._is_forked:
            raise ForkedError(
                "this handle belongs to the process that forked this one: ask the client in the child for one"
            )

    def check_open(self) -> None:
        """Raise where nothing can be asked here any more."""
        if self._is_closed:
            raise UsageError("this client is closed: make another one")

    def close(self) -> None:
        """Wait no more, and let go of the database. Who still waits here is told so."""
        self._is_closed = self._creations.is_closed = True
        self._telling.close(CLOSING_SECONDS)
        self._watch.close()
        self.ends.close()
        self.following.close()
        self.uncollected.close()
        self.store.close()

    def abandon(self) -> None:
        """In a forked child: everything here belongs to the parent."""
        self._is_forked = self._is_closed = True
        self.ends.abandon()
        self.following.abandon()
        self.store.abandon()
