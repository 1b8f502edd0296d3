"""A duty: what is done again and again, how often, and that its trouble is nobody else's."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence

from ...errors import StoreError
from ..trouble import Trouble

log = logging.getLogger("perdure")


def not_now() -> bool:
    """Only when it is time."""
    return False


class Duty:
    """Done every so many seconds; with every round by default, and in any round in which `is_called`. `at_once`: with
    the first round, for the launch has not done it.
    """

    __slots__ = ("_do", "_done_at", "_is_called", "_seconds")

    def __init__(
        self,
        do: Callable[[], object],
        *,
        every: float = 0.0,
        is_called: Callable[[], bool] = not_now,
        at_once: bool = False,
    ) -> None:
        self._do = do
        self._seconds = every
        self._is_called = is_called
        self._done_at = -math.inf if at_once else time.monotonic()

    def is_due(self, now: float) -> bool:
        """Whether it is to be done at this time (monotonic)."""
        return now - self._done_at >= self._seconds or self._is_called()

    def do(self) -> None:
        """Do it; what goes wrong is the caller's."""
        self._done_at = time.monotonic()
        self._do()


class Duties:
    """All that a worker does in its rounds, in this order."""

    def __init__(self, *duties: Duty) -> None:
        self._duties: Sequence[Duty] = duties
        self._trouble = Trouble("the poll gets no answer")

    def tick(self) -> None:
        """A round. What the database refuses to one duty keeps no other from being done."""
        error: StoreError | None = None
        for duty in self._duties:
            try:
                if duty.is_due(time.monotonic()):
                    duty.do()
            except StoreError as failure:
                error = error or failure
            except Exception:
                log.exception("the poll failed; it goes on")
        if error is None:
            self._trouble.over()
        else:
            self._trouble.met(error)
