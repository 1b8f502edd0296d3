"""Who is alone (protocol rule 11): a run at its last attempt is claimed by a worker that holds nothing else, so that
only a run that ended its worker alone ends as dead. Rules alone: the dispatcher locks, claims, and tells the time.

Neither waits for the other without end. A last attempt goes first where nothing is held; one that could not be had
alone for `seconds` is claimed beside others. Others begin again when it has been alone for some seconds, the more the
more often it was tried, and after `seconds` of last attempts, one after the other.

Every run that ends its workers is dead in the end. A worker that starts again after a death holds nothing and takes a
last attempt first; and each death beside others doubles how long the next attempt is alone, until that is longer than
what the run takes to end its worker. Others wait for that no longer than the deaths themselves have cost.
"""

from __future__ import annotations

from ...stores.protocol import ClaimedRun, LastAttempts

FIRST_SECONDS = 5.0
"""What ends its worker mostly does so at once. Each further attempt doubles it: a run that takes longer to end its
worker would else take others with it for ever.
"""
MOST_DOUBLINGS = 16
"""A run that ends its worker does so within four days."""


class Solitude:
    """The run that is alone here, and since when others wait for that."""

    __slots__ = ("_alone_until", "_began", "_claim", "_seconds", "_wanted_since")

    def __init__(self, seconds: float, now: float) -> None:
        self._seconds = seconds
        self._wanted_since: float | None = now
        """Since when runs at their last attempt wait, for all that is known."""
        self._claim: str | None = None
        """Of the run beside which nothing else begins."""
        self._alone_until = 0.0
        self._began: float | None = None
        """Since when one has followed the other."""

    @property
    def is_kept(self) -> bool:
        """Whether a run is alone."""
        return self._claim is not None

    @property
    def is_wanted(self) -> bool:
        """Whether a run waits to be alone."""
        return self._wanted_since is not None

    def want(self, now: float) -> None:
        """Runs at their last attempt wait."""
        if self._wanted_since is None:
            self._wanted_since = now

    def want_no_more(self) -> None:
        """None does."""
        self._wanted_since = None

    def goes_first(self, now: float) -> bool:
        """Whether one of them is claimed before others, where nothing is held."""
        return self.is_wanted and (self._began is None or now - self._began < self._seconds)

    def beside(self, now: float) -> LastAttempts:
        """What a claim of others does with them."""
        has_waited = self._wanted_since is not None and now - self._wanted_since >= self._seconds
        return "beside" if has_waited else "left"

    def begin(self, run: ClaimedRun, now: float) -> None:
        """This one is alone from now on."""
        doublings = min(run.attempts - run.max_attempts, MOST_DOUBLINGS)
        self._claim, self._alone_until = run.claim, now + FIRST_SECONDS * 2.0**doublings
        if self._began is None:
            self._began = now

    def end(self, claim: str) -> bool:
        """The run of this claim has ended or waits; whether it was alone."""
        if self._claim != claim:
            return False
        self._claim = None
        return True

    def end_in_time(self, now: float) -> bool:
        """Whether a run has been alone for long enough: it is alone no more."""
        return self._claim is not None and now >= self._alone_until and self.end(self._claim)

    def others_had_their_turn(self) -> None:
        """Others were claimed, or none waits."""
        self._began = None
