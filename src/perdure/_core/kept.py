"""How long runs are kept after their end: what a function or the settings say."""

from __future__ import annotations

from typing import Final, NamedTuple

from ..errors import UsageError
from ..typing import Seconds
from .given import seconds_of, whole_number

LEAST_SECONDS: Final = 60.0
"""Whoever waits for an outcome is to find it."""
MOST_RUNS: Final = 1_000_000


class Kept(NamedTuple):
    """How long and how many; None: for ever, and all."""

    seconds: float | None = None
    runs: int | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is ever removed."""
        return self.seconds is None and self.runs is None

    def over(self, default: Kept) -> Kept:
        """What a function says, where it says something; else what the settings say."""
        return default if self.is_all else self


def kept_seconds(given: Seconds | None, what: str) -> float | None:
    """The setting `keep_for`. Raises `UsageError` where it is shorter than a minute."""
    if given is None:
        return None
    seconds = seconds_of(given, what)
    if seconds < LEAST_SECONDS:
        raise UsageError(f"{what}={given!r}: a run is kept for a minute at least, so that who waits for it finds it")
    return seconds


def kept_runs(given: int | None, what: str) -> int | None:
    """The setting `keep_runs`."""
    return None if given is None else whole_number(given, what, most=MOST_RUNS)


def kept_of(keep_for: Seconds | None, keep_runs: int | None, what: str) -> Kept:
    """What a function says."""
    return Kept(kept_seconds(keep_for, f"{what}: keep_for"), kept_runs(keep_runs, f"{what}: keep_runs"))
