"""Making runs, answering hooks, from outside: what is handed in while a transaction is under way shares the next one.

Whoever waits commits, for all who came meanwhile (leader and followers); callers on event loops leave it to a thread.
A transaction of unknown outcome goes again, the same, and finds its own traces: nothing is made twice. After
`patience_seconds` without an answer the callers are told so: a client is no worker, which waits as long as it takes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from ..._entries import MessageSent, RunCreated, Verdict, entry_bytes
from ...errors import StoreError, StoreUnavailableError, UsageError
from ...stores.protocol import Store
from ..trouble import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS

MOST_ENTRIES = 1_000
MOST_BYTES = 1 << 20
"""Of one transaction, so that nobody waits long for somebody else's runs."""


class HandedIn:
    """What one caller hands in: entries of one transaction, their verdicts, or why there are none."""

    __slots__ = ("entries", "error", "is_settled", "on_settled", "verdicts", "weight")

    def __init__(
        self, entries: Sequence[RunCreated | MessageSent], on_settled: Callable[[], None] | None = None
    ) -> None:
        self.entries = entries
        self.on_settled = on_settled
        self.weight = sum(map(entry_bytes, entries))
        self.verdicts: list[Verdict] = []
        self.error: BaseException | None = None
        self.is_settled = False

    def settle(self, verdicts: list[Verdict], error: BaseException | None = None) -> None:
        """Recorded, or not."""
        self.verdicts, self.error, self.is_settled = verdicts, error, True
        if self.on_settled is not None:
            self.on_settled()

    def outcome(self) -> list[Verdict]:
        """The verdicts; raises where there are none."""
        if self.error is not None:
            raise self.error
        return self.verdicts


class Creations:
    """One for each client."""

    def __init__(
        self, store: Store, tell: Callable[[Sequence[RunCreated | MessageSent]], None], patience_seconds: float
    ) -> None:
        self._store = store
        self._tell = tell
        self._patience_seconds = patience_seconds
        self._turn = threading.Lock()
        self._waiting: deque[HandedIn] = deque()
        self.is_closed = False

    def make(self, entries: Sequence[RunCreated | MessageSent]) -> list[Verdict]:
        """The verdicts, once the runs are durable. Raises `StoreError`; whether they were made is not known then."""
        verdicts: list[Verdict] = []
        for part in parts_of(entries):
            submission = self.hand_in(part)
            while not submission.is_settled:
                with self._turn:
                    self._commit()
            verdicts += submission.outcome()
        return verdicts

    def hand_in(
        self, entries: Sequence[RunCreated | MessageSent], on_settled: Callable[[], None] | None = None
    ) -> HandedIn:
        """For the next transaction, which somebody is to begin: see `commit_all`."""
        if self.is_closed:
            raise UsageError("this client is closed: make another one")
        submission = HandedIn(entries, on_settled)
        self._waiting.append(submission)
        return submission

    def commit_all(self) -> None:
        """Until nothing waits."""
        while self._waiting:
            with self._turn:
                self._commit()

    def _commit(self) -> None:
        """One transaction, within the turn."""
        batch, count, weight = list[HandedIn](), 0, 0
        while self._waiting:
            ahead = self._waiting[0]
            count, weight = count + len(ahead.entries), weight + ahead.weight
            if batch and (count > MOST_ENTRIES or weight > MOST_BYTES):
                break
            batch.append(self._waiting.popleft())
        try:
            self._bring(batch)
        except BaseException:  # Ctrl-C: others wait for theirs, and who sends again finds what was made
            self._waiting.extendleft(submission for submission in reversed(batch) if not submission.is_settled)
            raise

    def _bring(self, batch: Sequence[HandedIn]) -> None:
        entries = [entry for submission in batch for entry in submission.entries]
        deadline, pause = time.monotonic() + self._patience_seconds, FIRST_PAUSE_SECONDS
        while entries:
            try:
                verdicts = self._store.create(entries)
            except StoreUnavailableError as error:
                if self.is_closed or time.monotonic() + pause > deadline:
                    for submission in batch:
                        submission.settle([], error)
                    return
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            except StoreError as error:
                if len(batch) == 1:
                    batch[0].settle([], error)
                    return
                for submission in batch:  # one of them is refused: each by itself
                    self._bring([submission])
                return
            else:
                for submission in batch:
                    submission.settle(verdicts[: len(submission.entries)])
                    del verdicts[: len(submission.entries)]
                self._tell(entries)
                return


def parts_of(entries: Sequence[RunCreated | MessageSent]) -> list[Sequence[RunCreated | MessageSent]]:
    """The entries of one caller in so many transactions as they need."""
    return [entries[first : first + MOST_ENTRIES] for first in range(0, len(entries), MOST_ENTRIES)]
