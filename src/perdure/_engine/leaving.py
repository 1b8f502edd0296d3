"""How long this process waits for the runs that it holds to leave: until a time, or until somebody says to hurry."""

from __future__ import annotations

import time

from .claiming.held_runs import Held

LOOK_SECONDS = 0.1
"""So late it is seen that the wait is to end."""


class Leaving:
    """One for each runtime."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._is_hurried = False

    def hurry(self) -> None:
        """Who waits for runs to leave waits no more. From any thread, and from the handlers of signals."""
        self._is_hurried = True

    def wait_until_empty(self, deadline: float) -> bool:
        """Block until every run that has begun has left, or it is `deadline` (monotonic); whether every one has.

        What has not begun does not begin any more, and goes back with the rest.
        """
        while self._held.active and not self._is_hurried and time.monotonic() < deadline:
            self._held.wait_until_empty(min(deadline, time.monotonic() + LOOK_SECONDS))
        return not self._held.active
