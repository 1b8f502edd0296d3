"""What keeps an activity of this process from going on: said once, again when it changes, and when it is over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import StoreUnavailableError, UnsupportedStoreError
from ..stores.protocol import NothingDone

T = TypeVar("T")

log = logging.getLogger("perdure")


class Trouble:
    """Of one activity. From any thread."""

    def __init__(self, activity: str) -> None:
        self._activity = activity
        self._lock = threading.Lock()
        self._cause: str | None = None
        self._since = 0.0

    @property
    def is_met(self) -> bool:
        """Whether it is there, for all we know."""
        return self._cause is not None

    def met(self, error: BaseException, whose: str = "") -> None:
        """The activity could not go on for this reason, and will try again. `whose`: for whom alone, if not for all."""
        cause = str(error)
        with self._lock:
            if cause == self._cause:
                return
            self._since = time.monotonic() if self._cause is None else self._since
            self._cause = cause
        log.warning("%s%s; trying again until that is mended: %s", self._activity, whose, cause)

    def over(self) -> None:
        """The activity went on."""
        if self._cause is None:
            return
        with self._lock:
            was_there, self._cause = self._cause is not None, None
        if was_there:
            log.warning("%s: that is over, after %.1f seconds", self._activity, time.monotonic() - self._since)


FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
MOST_TRIES = 3
"""How often that is tried alone which may itself be why it fails."""


def until_answered(ask: Callable[[], T], trouble: Trouble, is_over: Callable[[], bool]) -> T:
    """The answer of a database that may be away for long. Raises its error once the question `is_over`; and where the
    question itself may be why it is not answered, after some tries.
    """
    pause, tries = FIRST_PAUSE_SECONDS, 0
    while True:
        try:
            answer = ask()
        except (StoreUnavailableError, UnsupportedStoreError) as error:
            tries += 1
            is_in_vain = tries == MOST_TRIES and isinstance(error, NothingDone) and error.may_be_entry
            if is_over() or is_in_vain:
                raise
            trouble.met(error)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        else:
            trouble.over()
            return answer
