"""Waiting, outside any run, for what a run says: on this thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .._engine.door import Door
from ..typing import RunId


class Follower:
    """Asks for one thing until that is final."""

    def __init__(self, run_id: RunId, ask: Callable[[list[Any]], list[Any]], wanted: object) -> None:
        self.run_id = run_id
        self.ask = ask
        self.found: Any = None
        self.error: BaseException | None = None
        self.is_over = threading.Event()
        self._wanted = wanted

    def wants(self) -> Any:
        """The thing, until it is there."""
        return None if self.is_over.is_set() else self._wanted

    def give(self, found: Any) -> bool:
        """What there is."""
        if self.is_over.is_set() or not found.is_final:
            return False
        self.found = found
        self.is_over.set()
        return True

    def fail(self, error: BaseException) -> None:
        """There will be nothing more."""
        self.error = error
        self.is_over.set()


def wait_until_final(
    door: Door, run_id: RunId, ask: Callable[[list[Any]], list[Any]], wanted: object, seconds: float | None
) -> Any:
    """What there is of it once it is final; None where that is not so within the time."""
    follower = Follower(run_id, ask, wanted)
    door.following.follow(follower)
    try:
        follower.is_over.wait(seconds)
    finally:
        door.following.forget(follower)
    if follower.error is not None:
        raise follower.error
    return follower.found
