"""Who follows here what runs say to others, their events and streams, wherever those runs are executed.

One thread for all who follow, while anybody does: it asks the database by one statement for each kind of question,
however many there are; at once when somebody begins to follow, when this process has committed something that may be
of interest, or another one says so; else ever more rarely, up to once in a second. No round takes more than a tenth of
the time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, Protocol

from ...errors import PerdureError, StoreError
from ...stores.protocol import Hint
from ...typing import RunId
from ..background import start_thread
from ..trouble import Trouble

log = logging.getLogger("perdure")

FIRST_SECONDS: Final = 0.05
LONGEST_SECONDS: Final = 1.0
GROWTH: Final = 1.5
SHARE: Final = 10
"""After a round of d seconds the next is not before so many times d."""
MOST_AT_ONCE: Final = 1000
IDLE_SECONDS: Final = 5.0
"""So long the thread stays when nobody follows any more."""


class Follower(Protocol):
    """Who follows one thing of one run. Called by the thread that looks, never by two at once."""

    run_id: RunId
    ask: Callable[[list[Any]], list[Any]]
    """The question, for many at once: what each `wants`, and what there is of each."""

    def wants(self) -> Any:
        """What to ask for; None where it wants nothing just now."""

    def give(self, found: Any) -> bool:
        """What there is; whether that is anything new."""

    def fail(self, error: BaseException) -> None:
        """There will be nothing more, for this reason."""


class Following:
    """The register; anybody may follow and tell. `ask` of all followers are methods of one object."""

    def __init__(self, on_begin: Callable[[], None] = lambda: None) -> None:
        self._on_begin = on_begin
        """Called when somebody begins to follow: who hears hints may have to begin to listen."""
        self._changed = threading.Condition()  # entered again by the garbage collector, which may end a reader
        self._followers: dict[int, Follower] = {}
        self._by_run: dict[RunId, int] = {}
        self._is_called = self._is_closed = False
        self._thread: threading.Thread | None = None
        self._trouble = Trouble("what runs say cannot be read")

    def follow(self, follower: Follower) -> None:
        """Give it what there is, from now on. Raises `PerdureError` where nobody looks any more."""
        with self._changed:
            if self._is_closed:
                raise closed()
            self._followers[id(follower)] = follower
            self._by_run[follower.run_id] = self._by_run.get(follower.run_id, 0) + 1
            if self._thread is None:
                self._thread = start_thread(self._watch, "perdure-following")
            self._call()
        self._on_begin()

    def forget(self, follower: Follower) -> None:
        """Stop that."""
        with self._changed:
            if self._followers.pop(id(follower), None) is not None:
                self._by_run[follower.run_id] -= 1
                if not self._by_run[follower.run_id]:
                    del self._by_run[follower.run_id]

    def call(self) -> None:
        """Somebody wants something now."""
        with self._changed:
            self._call()

    def tell(self, run_id: RunId) -> None:
        """The run has said something, or has ended. Any thread, often."""
        if run_id in self._by_run:
            self.call()

    def heed(self, hint: Hint) -> None:
        """Another process says what it has committed."""
        if self._by_run and (hint.is_vague or self._is_about(hint.said) or self._is_about(hint.ended)):
            self.call()

    def _is_about(self, run_ids: Collection[RunId]) -> bool:
        return any(run_id in self._by_run for run_id in run_ids)

    def _call(self) -> None:
        self._is_called = True
        self._changed.notify_all()

    def _watch(self) -> None:
        pause, rest_until = FIRST_SECONDS, 0.0
        while self._sleep(pause, rest_until):
            began_at = time.monotonic()
            has_found = self._round()
            pause = FIRST_SECONDS if has_found else min(pause * GROWTH, LONGEST_SECONDS)
            ended_at = time.monotonic()
            rest_until = ended_at + SHARE * (ended_at - began_at) if not has_found else 0.0

    def _sleep(self, pause: float, rest_until: float) -> bool:
        """Until it is time for a round, or somebody calls; False where there will be no more."""
        look_at = time.monotonic() + pause
        leave_at = time.monotonic() + IDLE_SECONDS
        with self._changed:
            while not self._is_closed:
                now = time.monotonic()
                if not self._followers and now >= leave_at:
                    self._thread = None
                    return False
                is_due = self._is_called or now >= look_at
                if self._followers and is_due and now >= rest_until:
                    self._is_called = False
                    return True
                wake_at = (
                    (max(rest_until, now) if is_due else max(rest_until, look_at)) if self._followers else leave_at
                )
                self._changed.wait(max(0.001, wake_at - now))
        return False

    def _round(self) -> bool:
        """Ask for all; whether anybody got something new."""
        with self._changed:
            followers = list(self._followers.values())
        has_found = False
        try:
            for ask, asking in by_question(followers):
                for first in range(0, len(asking), MOST_AT_ONCE):
                    part = asking[first : first + MOST_AT_ONCE]
                    for (follower, _), found in zip(part, ask([wanted for _, wanted in part]), strict=True):
                        has_found = follower.give(found) or has_found
        except StoreError as error:
            self._trouble.met(error)
        except Exception:
            log.exception("a look for what runs say failed; it goes on")
        else:
            self._trouble.over()
        return has_found

    def close(self) -> None:
        """Nobody will learn anything here any more: say so to all who follow."""
        with self._changed:
            followers, self._followers = list(self._followers.values()), {}
            self._by_run.clear()
            self._is_closed = True
            self._changed.notify_all()
            thread = self._thread
        for follower in followers:
            follower.fail(closed())
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)

    def abandon(self) -> None:
        """In a forked child: another thread of the parent may have been in the lock, and nobody follows here."""
        self._changed = threading.Condition()
        self._followers, self._by_run = {}, {}
        self._is_closed = True


def by_question(followers: Iterable[Follower]) -> list[tuple[Callable[[list[Any]], list[Any]], list[Any]]]:
    """Each question with those who ask it, and what they want."""
    asking: dict[Any, list[Any]] = {}
    for follower in followers:
        wanted = follower.wants()
        if wanted is not None:
            asking.setdefault(follower.ask, []).append((follower, wanted))
    return list(asking.items())


def closed() -> PerdureError:
    """What who follows gets when this process lets go of the database."""
    return PerdureError(
        "perdure has shut down in this process: what the run says is in the database, and another process can read it"
    )
