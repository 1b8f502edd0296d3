"""What a thread waits with: in a run, for the next of several runs to end, within its time limits; outside any run, for
what a run says.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from .._core.flow import Outcome, drive
from .._core.flows.several import begin_limit, next_end
from .._core.lineage import Branch
from .._core.several import Limit, Several
from .._engine.door import Door
from .._engine.watching.several_ends import Watching
from .._engine.watching.until_final import UntilFinal
from ..errors import WaitTimeoutError
from ..typing import RunId


class OwnWait:
    """One wait of a sync branch. Its calls are numbered under a branch of their own, called `name`."""

    def __init__(self, branch: Branch, name: str, run_ids: Sequence[RunId], timeout: float | None) -> None:
        self.inside = branch.fork(name, is_async=False)
        self._branch = branch
        self._run = branch.run
        calls = {self.inside.next_key(): run_id for run_id in run_ids}
        self._places = {key: place for place, key in enumerate(calls)}
        self._several = Several.of(calls, branch.run.order)
        self._limits: tuple[Limit, ...] = ()
        if timeout is not None:
            self._limits = (drive(begin_limit(branch.run, self.inside.next_key(), max(0.0, timeout)), branch.run),)

    def __len__(self) -> int:
        return len(self._several.calls)

    def add(self, place: int, run_id: RunId) -> None:
        """One more, known by this place."""
        key = self.inside.next_key()
        self._places[key] = place
        self._several.add(key, run_id, self._run.order)

    def next(self) -> tuple[int, Outcome]:
        """The next that ends: its place among those given, and its outcome. Raises `WaitTimeoutError`."""
        ended = drive(next_end(self._run, self._several, (*self._branch.limits, *self._limits)), self._run)
        if isinstance(ended, Limit):
            raise late(ended.seconds)
        key, outcome = ended
        return self._places.pop(key), outcome

    def close(self) -> None:
        """Wait no more."""
        watching: Watching | None = self._several.watching
        if watching is not None:
            watching.close()


def late(seconds: float) -> WaitTimeoutError:
    """What a wait ends with when its time is over."""
    return WaitTimeoutError(f"it did not come within {seconds:g} seconds; what was waited for goes on")


def wait_until_final(
    door: Door, run_id: RunId, ask: Callable[[list[Any]], list[Any]], wanted: object, seconds: float | None
) -> Any:
    """What there is of it once it is final; None where that is not so within the time."""
    found: list[Any] = []
    is_there = threading.Event()

    def note(what: Any) -> None:
        found.append(what)
        is_there.set()

    follower = UntilFinal(run_id, ask, wanted, note, note)
    door.following.follow(follower)
    try:
        is_there.wait(seconds)
    finally:
        door.following.forget(follower)
    if found and isinstance(found[0], BaseException):
        raise found[0]
    return found[0] if found else None
